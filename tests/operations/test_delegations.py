"""A right to sign that is lent: for dates, in one unit, never on, never to whoever must not sign, and always named."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from guardian.shortcuts import remove_perm

from approvals import operations as approvals
from approvals.models import Absence, Delegation
from approvals.models.notice import Notice, NoticeKind
from approvals.notifying.spread import concerned
from approvals.operations import NotUsable, assignments, claims, delegations
from approvals.operations.assignments import CannotBeAsked
from approvals.operations.delegations import AlreadySaid, CannotStandIn
from approvals.queries.queue import QueueFilters, queue, rows_of, waiting_for
from approvals.rules.permissions import AlreadySigned, OwnRequest
from approvals.rules.standing import StandsIn
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Refusal
from tests import make, worlds

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def world():
    return worlds.world()


@pytest.fixture
def dora(world):
    """May look into the unit, and no more."""
    return make.actor(make.person("dora", "view", of=world.unit))


def lend(world, lender, to, *, starts=-DAY, ends=DAY, unit=None):
    now = database_now()
    return delegations.delegate(
        unit_id=(unit or world.unit).pk, to=to.user_id, starts_at=now + starts, ends_at=now + ends, by=lender
    )


def sign(request, by):
    return approvals.approve(request_id=request.pk, by=by, voice=make.voice(request, by=by))


def use(request, world):
    return approvals.use(subject_id=request.subject_id, digest=request.digest, by=make.MAKER)


def take_role(world, who):
    remove_perm("budgets.review_businessunit", get_user_model().objects.get(pk=who.user_id), world.unit)


class TestADelegate:
    def test_signs_and_the_decision_says_for_whom(self, world, dora):
        lent = lend(world, world.grace, dora)
        request = worlds.request(world)

        assert sign(request, dora).status == "approved"

        voice = request.decisions.get()
        assert (voice.person_name, voice.for_person_name, voice.delegation_id) == ("dora", "grace", lent.pk)
        event = AuditEvent.objects.get(event="approval_request.signed_approve")
        assert event.why == "for grace, who delegated it"
        assert f"user:{world.grace.user_id}" in event.data

    def test_finds_the_requests_in_their_queue(self, world, dora):
        request = worlds.request(world)
        assert not waiting_for(dora).exists()

        lend(world, world.grace, dora)

        assert [row.pk for row in waiting_for(dora)] == [request.pk]
        assert rows_of([request], dora)[0].yours == "can decide"

    @pytest.mark.parametrize(("starts", "ends"), [(DAY, 2 * DAY), (-2 * DAY, timedelta(seconds=1))])
    def test_signs_only_during_the_dates(self, world, dora, starts, ends):
        row = lend(world, world.grace, dora, starts=starts, ends=ends)
        if starts < timedelta(0):
            make.later("approvals_delegation", "ends_at", row.pk, 2)

        with pytest.raises(Forbidden, match="reviewer role"):
            sign(worlds.request(world), dora)

    def test_signs_no_longer_when_it_was_taken_back(self, world, dora):
        row = lend(world, world.grace, dora)
        delegations.revoke(delegation_id=row.pk, by=world.grace)

        with pytest.raises(Forbidden, match="reviewer role"):
            sign(worlds.request(world), dora)

    def test_signs_in_units_below_and_not_beside(self, world, dora):
        below = make.unit("payments", parent=world.unit)
        beside = make.unit("beside")
        make.person("dora", "view", of=beside)
        lend(world, world.grace, dora)

        assert sign(make.request(of=below), dora).status == "approved"
        with pytest.raises(Forbidden):
            sign(make.request(of=beside, named="other"), dora)

    def test_cannot_lend_it_on(self, world, dora):
        lend(world, world.grace, dora)

        with pytest.raises(Forbidden, match="cannot be passed on"):
            lend(world, dora, world.ada)

    def test_of_somebody_who_lost_the_role_cannot_sign(self, world, dora):
        lend(world, world.grace, dora)
        take_role(world, world.grace)

        with pytest.raises(Forbidden, match="reviewer role"):
            sign(worlds.request(world), dora)

    def test_with_a_role_of_their_own_signs_in_their_own_name(self, world):
        lend(world, world.grace, world.linus)
        request = worlds.request(world)

        sign(request, world.linus)

        assert request.decisions.get().for_person is None


class TestIndependence:
    def test_forbids_the_asker_whoever_lends_to_them(self, world):
        lend(world, world.grace, world.ada)
        request = make.request(by=world.ada, of=world.unit)

        with pytest.raises(OwnRequest):
            sign(request, world.ada)

    def test_forbids_a_delegate_of_the_asker(self, world, dora):
        request = make.request(by=world.linus, of=world.unit)
        lend(world, world.linus, dora)
        lend(world, world.grace, dora)

        with pytest.raises(StandsIn, match="stand in for linus"):
            sign(request, dora)

    def test_forbids_a_delegate_of_the_agents_owner_even_with_a_role_of_their_own(self, world):
        lend(world, world.olga, world.grace)

        with pytest.raises(StandsIn, match="stand in for olga"):
            sign(worlds.request(world), world.grace)

    def test_forbids_holding_what_it_forbids_signing(self, world):
        request = worlds.request(world)
        claims.claim(request_id=request.pk, by=world.grace)
        lend(world, world.olga, world.grace)
        lend(world, world.olga, world.linus)

        for take in (claims.claim, claims.renew):
            with pytest.raises(StandsIn, match="stand in for olga"):
                take(request_id=request.pk, by=world.grace)
        with pytest.raises(StandsIn, match="stand in for olga"):
            claims.claim(request_id=worlds.request(world).pk, by=world.linus)

    def test_forbids_it_to_every_account_of_the_delegate(self, world):
        second = make.person("grace.at.home", "view", of=world.unit)
        make.linked("grace", get_user_model().objects.get(pk=world.grace.user_id), second)
        lend(world, world.olga, make.actor(second))

        with pytest.raises(StandsIn, match="stand in for olga"):
            sign(worlds.request(world), world.grace)

    def test_forbids_signing_beside_the_delegate_of_another_account_of_ones_own(self, world, dora):
        second = make.person("grace.at.home", "view", "review", of=world.unit)
        make.linked("grace", get_user_model().objects.get(pk=world.grace.user_id), second)
        lend(world, make.actor(second), world.linus)
        request = worlds.request(world, tool="wire")
        sign(request, world.linus)

        with pytest.raises(StandsIn, match="linus stands in for you"):
            sign(request, world.grace)

    def test_forbids_a_delegate_of_somebody_who_signed(self, world, dora):
        request = worlds.request(world, tool="wire")
        sign(request, world.grace)
        lend(world, world.grace, dora)

        with pytest.raises(StandsIn, match="grace, who has signed"):
            sign(request, dora)

    def test_forbids_signing_beside_ones_own_delegate(self, world, dora):
        request = worlds.request(world, tool="wire")
        lend(world, world.grace, dora)
        sign(request, dora)

        with pytest.raises((StandsIn, AlreadySigned)):
            sign(request, world.grace)

    def test_forbids_it_also_after_the_delegation_has_ended(self, world, dora):
        request = worlds.request(world, tool="wire")
        row = lend(world, world.grace, dora)
        sign(request, dora)
        delegations.revoke(delegation_id=row.pk, by=world.grace)

        with pytest.raises(AlreadySigned, match="dora has signed this request for you"):
            sign(request, world.grace)

    def test_makes_one_signature_of_two_delegates_of_one_person(self, world, dora):
        carl = make.actor(make.person("carl", "view", of=world.unit))
        lend(world, world.grace, dora)
        lend(world, world.grace, carl)
        request = worlds.request(world, tool="wire")
        sign(request, dora)

        with pytest.raises(Refusal):
            sign(request, carl)

    def test_lets_the_delegates_of_two_people_give_two(self, world, dora):
        carl = make.actor(make.person("carl", "view", of=world.unit))
        lend(world, world.grace, dora)
        lend(world, world.linus, carl)
        request = worlds.request(world, tool="wire")

        sign(request, dora)
        assert sign(request, carl).status == "approved"

    def test_forbids_nothing_in_another_unit(self, world, dora):
        other = make.unit("other")
        for actor in (world.olga, dora):
            make.person(actor.name, "view", "review", of=other)
        lend(world, world.olga, dora, unit=other)
        lend(world, world.grace, dora)

        assert sign(worlds.request(world), dora).status == "approved"


class TestARightThatEnded:
    @pytest.mark.parametrize("who", ["lender's role", "delegate's sight"])
    def test_is_no_place_in_the_queue_any_more(self, world, dora, who):
        lend(world, world.grace, dora)
        request = worlds.request(world)
        assert waiting_for(dora).filter(pk=request.pk).exists()

        if who == "lender's role":
            take_role(world, world.grace)
        else:
            remove_perm("budgets.view_businessunit", get_user_model().objects.get(pk=dora.user_id), world.unit)

        assert not waiting_for(dora).filter(pk=request.pk).exists()


class TestARightLentElsewhere:
    def test_signs_nothing_here_though_its_lender_could(self, world, dora):
        other = make.unit("claims", "Claims")
        for actor in (world.grace, dora):
            make.person(actor.name, "view", "review", of=other)
        lend(world, world.grace, dora, unit=other)

        with pytest.raises(Forbidden) as refusal:
            sign(worlds.request(world), dora)

        assert refusal.value.code == "not_a_reviewer"


class TestDispatch:
    def test_lets_it_out_on_a_delegates_signature(self, world, dora):
        lend(world, world.grace, dora)
        request = worlds.request(world)
        sign(request, dora)

        assert use(request, world).status == "used"

    def test_lets_nothing_else_out_than_what_was_signed(self, world):
        request = worlds.request(world)
        sign(request, world.grace)

        with pytest.raises(NotUsable) as refusal:
            approvals.use(subject_id=request.subject_id, digest="0" * 64, by=make.MAKER)

        assert refusal.value.code == "changed_since_approved"

    def test_lets_it_out_when_the_delegation_has_ended_since(self, world, dora):
        row = lend(world, world.grace, dora)
        request = worlds.request(world)
        sign(request, dora)
        delegations.revoke(delegation_id=row.pk, by=world.grace)

        assert use(request, world).status == "used"

    def test_stops_it_when_one_person_turns_out_to_have_written_both_signatures(self, world, dora):
        """One for somebody else, one of their own under another account: nothing linked the two when they signed."""
        other = make.person("dora2", "view", "review", of=world.unit)
        lend(world, world.grace, dora)
        request = worlds.request(world, tool="wire")
        sign(request, dora)
        assert sign(request, make.actor(other)).status == "approved"
        make.linked("dora", get_user_model().objects.get(pk=dora.user_id), other)

        with pytest.raises(NotUsable, match="no longer counts"):
            use(request, world)

    def test_stops_it_when_the_lender_took_a_duty_in_it_since(self, world, dora):
        lend(world, world.grace, dora)
        request = worlds.request(world)
        sign(request, dora)

        with pytest.raises(NotUsable, match="no longer counts"):
            approvals.use(
                subject_id=request.subject_id, digest=request.digest, by=make.MAKER,
                duties={world.grace.key: "own the agent clerk"},
            )  # fmt: skip

    def test_stops_it_when_the_delegation_did_not_run_at_the_signature(self, world, dora):
        row = lend(world, world.grace, dora)
        request = worlds.request(world)
        sign(request, dora)
        Delegation.objects.filter(pk=row.pk).update(starts_at=database_now())

        with pytest.raises(NotUsable, match="no longer counts"):
            use(request, world)

    def test_stops_it_when_the_lender_lost_the_role(self, world, dora):
        lend(world, world.grace, dora)
        request = worlds.request(world)
        sign(request, dora)
        take_role(world, world.grace)

        with pytest.raises(NotUsable, match="no longer counts"):
            use(request, world)

    @pytest.mark.parametrize("who", ["dora", "grace"])
    def test_stops_it_when_either_account_is_disabled(self, world, dora, who):
        lend(world, world.grace, dora)
        request = worlds.request(world)
        sign(request, dora)
        get_user_model().objects.filter(username=who).update(is_active=False)

        with pytest.raises(NotUsable):
            use(request, world)

    def test_does_not_take_a_lent_right_for_a_role_that_was_lost(self, world):
        request = worlds.request(world)
        sign(request, world.linus)
        take_role(world, world.linus)
        lend(world, world.grace, world.linus)

        with pytest.raises(NotUsable):
            use(request, world)


class TestDelegate:
    def test_is_for_reviewers(self, world, dora):
        with pytest.raises(Forbidden):
            lend(world, world.ada, dora)

    def test_opens_no_unit_to_whoever_may_not_look_into_it(self, world):
        with pytest.raises(CannotStandIn, match="may not look"):
            lend(world, world.grace, world.eve)

    def test_is_to_somebody_else(self, world):
        with pytest.raises(CannotStandIn, match="themselves"):
            lend(world, world.grace, world.grace)

    @pytest.mark.parametrize(("starts", "ends"), [(DAY, DAY), (-2 * DAY, -DAY), (-DAY, 100 * DAY)])
    def test_needs_dates_that_make_sense(self, world, dora, starts, ends):
        with pytest.raises(Invalid):
            lend(world, world.grace, dora, starts=starts, ends=ends)

    def test_twice_is_once(self, world, dora):
        """Whoever takes the one back thinks that nobody signs for them any more."""
        now = database_now()
        dates = {"starts_at": now - DAY, "ends_at": now + DAY}
        for _ in range(2):
            lent = delegations.delegate(unit_id=world.unit.pk, to=dora.user_id, by=world.grace, **dates)

        assert Delegation.objects.get() == lent
        assert AuditEvent.objects.filter(event="delegation.given").count() == 1

    @pytest.mark.parametrize(("starts", "ends"), [(-DAY, DAY / 2), (-3 * DAY, DAY / 2), (DAY / 4, DAY / 2)])
    def test_that_adds_nothing_is_refused(self, world, dora, starts, ends):
        lend(world, world.grace, dora)

        with pytest.raises(AlreadySaid, match=r"dora can sign for you there already, until \d{4}-") as refused:
            lend(world, world.grace, dora, starts=starts, ends=ends)

        assert "Choose a later end" in refused.value.remedy
        assert Delegation.objects.count() == 1

    def test_that_lasts_longer_or_is_to_somebody_else_is_another(self, world, dora):
        other = make.actor(make.person("otto", "view", of=world.unit))
        for to, ends in ((dora, DAY), (dora, 2 * DAY), (other, DAY)):
            lend(world, world.grace, to, ends=ends)
        first = Delegation.objects.order_by("created_at").first()
        for row in Delegation.objects.filter(delegate_id=dora.user_id):
            delegations.revoke(delegation_id=row.pk, by=world.grace)
        lend(world, world.grace, dora)

        assert Delegation.objects.count() == 4
        assert first.pk != Delegation.objects.order_by("-created_at").first().pk

    def test_leaves_a_trace(self, world, dora):
        row = lend(world, world.grace, dora)
        delegations.revoke(delegation_id=row.pk, by=dora)

        told = [event.event for event in AuditEvent.objects.about(row.pk).order_by("seq")]
        assert told == ["delegation.given", "delegation.revoked"]

    def test_is_ended_by_the_two_people_only_and_once(self, world, dora):
        row = lend(world, world.grace, dora)
        with pytest.raises(NotVisible):
            delegations.revoke(delegation_id=row.pk, by=world.linus)
        delegations.revoke(delegation_id=row.pk, by=world.grace)

        with pytest.raises(Refusal, match="over already"):
            delegations.revoke(delegation_id=row.pk, by=world.grace)
        assert Delegation.objects.count() == 1


def away(who, stand_in=None, *, starts=-DAY, ends=DAY):
    now = database_now()
    return delegations.go_away(
        away_from=now + starts, away_until=now + ends, stand_in=stand_in.user_id if stand_in else None, by=who
    )


class TestAbsence:
    @pytest.fixture
    def assigned(self, world):
        request = worlds.request(world)
        assignments.assign(request_id=request.pk, to=world.linus.user_id, by=world.grace)
        return request

    def asked(self, request, reader):
        row = rows_of([request], reader)[0]
        return row.attention.assigned.name, queue(reader, QueueFilters(held="me")).exists()

    def test_sends_what_was_assigned_to_the_stand_in_meanwhile(self, world, assigned):
        assert self.asked(assigned, world.linus) == ("linus", True)

        row = away(world.linus, world.grace)
        assert self.asked(assigned, world.grace) == ("grace (for linus, who is away)", True)

        delegations.come_back(absence_id=row.pk, by=world.linus)
        assert self.asked(assigned, world.grace) == ("linus", False)

    def test_to_come_changes_nothing_yet(self, world, assigned):
        away(world.linus, world.grace, starts=DAY, ends=2 * DAY)

        assert self.asked(assigned, world.grace) == ("linus", False)

    def test_without_a_stand_in_is_shown_and_keeps_new_assignments_away(self, world, assigned):
        away(world.linus)
        assert self.asked(assigned, world.linus) == ("linus (away)", True)

        with pytest.raises(CannotBeAsked, match="linus is away"):
            assignments.assign(request_id=worlds.request(world).pk, to=world.linus.user_id, by=world.grace)

    def test_of_several_that_run_is_the_longest_somebody_stands_in_for(self, world, assigned, dora):
        away(world.linus, ends=9 * DAY)
        away(world.linus, world.grace)
        away(world.linus, dora, ends=2 * DAY)

        assert self.asked(assigned, dora) == ("dora (for linus, who is away)", True)
        assert self.asked(assigned, world.grace) == ("dora (for linus, who is away)", False)
        again = worlds.request(world)
        assignments.assign(request_id=again.pk, to=world.linus.user_id, by=world.grace)
        assert concerned(Notice.objects.get(request=again, kind=NoticeKind.ASSIGNED)) == {dora.user_id}

    def test_keeps_new_assignments_away_and_the_mail_here_where_the_stand_in_may_not_look(self, world, assigned):
        away(world.linus, make.actor(make.person("sam", "view", of=make.unit("elsewhere"))))

        with pytest.raises(CannotBeAsked, match="nobody stands in here"):
            assignments.assign(request_id=worlds.request(world).pk, to=world.linus.user_id, by=world.grace)
        assert concerned(Notice.objects.get(request=assigned, kind=NoticeKind.ASSIGNED)) == {world.linus.user_id}

    def test_gives_the_stand_in_no_right_to_sign(self, world, assigned, dora):
        away(world.linus, dora)

        with pytest.raises(Forbidden):
            sign(assigned, dora)

    def test_announced_twice_is_one(self, world, dora):
        now = database_now()
        dates = {"away_from": now, "away_until": now + DAY, "stand_in": dora.user_id}
        assert delegations.go_away(**dates, by=world.grace) == delegations.go_away(**dates, by=world.grace)

        with pytest.raises(AlreadySaid, match="You have announced that already, until"):
            delegations.go_away(**{**dates, "away_until": now + DAY / 2}, by=world.grace)

        assert Absence.objects.count() == 1
        delegations.go_away(**{**dates, "stand_in": None}, by=world.grace)
        delegations.go_away(**{**dates, "away_until": now + 2 * DAY}, by=world.grace)
        assert Absence.objects.count() == 3

    def test_is_ones_own_to_end(self, world):
        row = away(world.linus)

        with pytest.raises(NotVisible):
            delegations.come_back(absence_id=row.pk, by=world.grace)

    def test_leaves_a_trace(self, world):
        row = away(world.linus)
        delegations.come_back(absence_id=row.pk, by=world.linus)

        assert [event.event for event in AuditEvent.objects.about(row.pk).order_by("seq")] == [
            "absence.announced",
            "absence.revoked",
        ]
