"""A claim holds the place of one open signature: for a while, by the database's clock, and never the whole request of two."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from guardian.shortcuts import remove_perm

from approvals import operations as approvals
from approvals.models import Claim
from approvals.operations import claims
from approvals.operations.claims import NotHeld
from approvals.operations.questions import send_back
from approvals.rules.holds import Held
from approvals.rules.permissions import AlreadySigned, OwnRequest
from audit.models import AuditEvent
from audit.refusals import Forbidden, NotVisible, Stale
from orchestrator.engine.sweep import sweep
from tests import make, worlds

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return worlds.world()


@pytest.fixture
def zoe(world):
    return make.actor(make.person("zoe", "view", "review", of=world.unit))


def claimed(request, by):
    return claims.claim(request_id=request.pk, by=by)


def lapse(claim):
    for column in ("claimed_at", "held_until"):
        make.later("approvals_claim", column, claim.pk, settings.CLAIM_SECONDS + 1)


def events(request):
    return [
        event.event.removeprefix("approval_request.") for event in AuditEvent.objects.about(request.pk).order_by("seq")
    ]


class TestClaim:
    def test_holds_the_request_for_fifteen_minutes_and_is_recorded(self, world):
        request = worlds.request(world)

        held = claimed(request, world.grace)

        assert held.held_until - held.claimed_at == timedelta(minutes=15)
        assert events(request)[-1] == "claimed"

    def test_again_by_the_same_person_starts_the_time_anew(self, world):
        request = worlds.request(world)
        first = claimed(request, world.grace)

        again = claimed(request, world.grace)

        assert again.pk == first.pk
        assert again.held_until > first.held_until
        assert Claim.objects.count() == 1

    def test_is_refused_while_somebody_else_holds_it_and_says_who_and_until_when(self, world):
        request = worlds.request(world)
        held = claimed(request, world.grace)

        with pytest.raises(Held, match=f"held by grace until {held.held_until:%H:%M:%S} UTC"):
            claimed(request, world.linus)

    def test_takes_over_what_has_lapsed_and_says_from_whom(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))

        claimed(request, world.linus)

        taken = AuditEvent.objects.get(event="approval_request.taken_over")
        assert taken.why == "lapsed: grace"
        assert [claim.person_name for claim in Claim.objects.running()] == ["linus"]

    def test_of_a_lapsed_claim_of_ones_own_is_a_new_claim_and_no_takeover(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))

        claimed(request, world.grace)

        assert events(request)[-1] == "claimed"

    @pytest.mark.parametrize(("who", "refusal"), [("ada", Forbidden), ("olga", OwnRequest), ("eve", NotVisible)])
    def test_is_for_whoever_may_sign(self, world, who, refusal):
        with pytest.raises(refusal):
            claimed(worlds.request(world), getattr(world, who))

    def test_of_a_decided_request_is_refused(self, world):
        request = worlds.request(world)
        approvals.reject(request_id=request.pk, by=world.linus, voice=make.voice(request, "duplicate", by=world.linus))

        with pytest.raises(Stale, match="already rejected"):
            claimed(request, world.grace)


class TestTwoSignatures:
    def test_leave_the_second_place_to_others(self, world):
        request = worlds.request(world, tool="wire")
        claimed(request, world.grace)

        claimed(request, world.linus)

        assert Claim.objects.running().count() == 2

    def test_are_both_held_only_by_two(self, world, zoe):
        request = worlds.request(world, tool="wire")
        claimed(request, world.grace)
        claimed(request, world.linus)

        with pytest.raises(Held, match=r"grace.*linus"):
            claimed(request, zoe)

    def test_count_a_given_one_as_taken(self, world, zoe):
        request = worlds.request(world, tool="wire")
        claimed(request, world.grace)
        approvals.approve(request_id=request.pk, by=world.linus, voice=make.voice(request, by=world.linus))

        with pytest.raises(Held):
            approvals.approve(request_id=request.pk, by=zoe, voice=make.voice(request, by=zoe))

    def test_a_claim_is_used_up_by_its_signature(self, world):
        request = worlds.request(world, tool="wire")
        claimed(request, world.grace)

        approvals.approve(request_id=request.pk, by=world.grace, voice=make.voice(request, by=world.grace))

        assert not Claim.objects.running().exists()
        with pytest.raises(AlreadySigned):
            claimed(request, world.grace)


class TestDeciding:
    @pytest.mark.parametrize("verb", [approvals.approve, approvals.reject])
    def test_is_refused_while_another_holds_the_request(self, world, verb):
        request = worlds.request(world)
        claimed(request, world.grace)
        reason = "evidence_checked" if verb is approvals.approve else "duplicate"

        with pytest.raises(Held):
            verb(request_id=request.pk, by=world.linus, voice=make.voice(request, reason, by=world.linus))

        assert not request.decisions.exists()

    def test_is_free_again_when_the_claim_has_lapsed(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))

        assert (
            approvals.approve(request_id=request.pk, by=world.linus, voice=make.voice(request, by=world.linus)).status
            == "approved"
        )

    def test_is_the_holders(self, world):
        request = worlds.request(world)
        claimed(request, world.grace)

        assert (
            approvals.approve(request_id=request.pk, by=world.grace, voice=make.voice(request, by=world.grace)).status
            == "approved"
        )


class TestRenew:
    def test_holds_it_longer(self, world):
        request = worlds.request(world)
        held = claimed(request, world.grace)
        make.later("approvals_claim", "held_until", held.pk, 600)

        renewed = claims.renew(request_id=request.pk, by=world.grace)

        assert renewed.held_until > held.held_until - timedelta(minutes=5)
        assert events(request)[-1] == "claim_renewed"

    def test_holds_it_after_the_clock_of_the_database_was_set_back(self, world):
        request = worlds.request(world)
        held = claimed(request, world.grace)
        for column in ("held_until", "claimed_at"):
            make.later("approvals_claim", column, held.pk, -3600)
        held.refresh_from_db()

        assert claims.renew(request_id=request.pk, by=world.grace).held_until == held.held_until
        claims.release(request_id=request.pk, by=world.grace)

    def test_of_a_lapsed_claim_is_refused(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))

        with pytest.raises(NotHeld):
            claims.renew(request_id=request.pk, by=world.grace)

    def test_by_somebody_who_may_not_sign_any_more_is_refused(self, world):
        request = worlds.request(world)
        claimed(request, world.grace)
        user = get_user_model().objects.get(pk=world.grace.user_id)
        remove_perm("budgets.review_businessunit", user, world.unit)

        with pytest.raises(Forbidden):
            claims.renew(request_id=request.pk, by=world.grace)


class TestTheEnd:
    def test_by_lapsing_is_a_line_of_the_history_told_once(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))

        told = [claims.note_lapsed(by=worlds.SETUP) for _ in range(2)]

        event = AuditEvent.objects.get(event="approval_request.claim_lapsed")
        assert (told, event.object_id, event.why) == ([1, 0], request.pk, "grace held it")

    def test_is_told_by_the_sweep(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))

        sweep()

        assert events(request)[-1] == "claim_lapsed"

    def test_is_not_told_of_a_claim_that_runs_or_was_given_back(self, world):
        running, released = worlds.request(world), worlds.request(world)
        claimed(running, world.grace)
        given_back = claimed(released, world.grace)
        claims.release(request_id=released.pk, by=world.grace)
        lapse(given_back)

        assert claims.note_lapsed(by=worlds.SETUP) == 0

    def test_that_was_told_is_taken_over_all_the_same(self, world):
        request = worlds.request(world)
        lapse(claimed(request, world.grace))
        claims.note_lapsed(by=worlds.SETUP)

        claimed(request, world.linus)

        assert events(request)[-2:] == ["claim_lapsed", "taken_over"]

    def test_on_a_decided_request_is_told_nobody_and_not_looked_at_again(self, world):
        request = worlds.request(world, tool="wire")
        lapse(claimed(request, world.grace))
        approvals.reject(request_id=request.pk, by=world.linus, voice=make.voice(request, "duplicate", by=world.linus))

        assert [claims.note_lapsed(by=worlds.SETUP) for _ in range(2)] == [1, 0]
        assert "claim_lapsed" not in events(request)

    def test_by_a_question_of_its_holder_is_a_line_of_the_history(self, world):
        request = worlds.request(world)
        claimed(request, world.grace)

        send_back(request_id=request.pk, by=world.grace, digest=request.digest, revision=1, question="Which?")

        assert events(request)[-2:] == ["released", "sent_back"]
        assert AuditEvent.objects.get(event="approval_request.released").why == "by sending it back"

    def test_by_a_question_without_a_claim_is_no_line(self, world):
        request = worlds.request(world)

        send_back(request_id=request.pk, by=world.grace, digest=request.digest, revision=1, question="Which?")

        assert "released" not in events(request)


class TestRelease:
    def test_gives_it_to_the_next(self, world):
        request = worlds.request(world)
        claimed(request, world.grace)

        claims.release(request_id=request.pk, by=world.grace)

        assert claimed(request, world.linus).person_name == "linus"
        assert events(request)[-2:] == ["released", "claimed"]

    def test_of_what_one_does_not_hold_is_refused(self, world):
        request = worlds.request(world)
        claimed(request, world.grace)

        with pytest.raises(NotHeld):
            claims.release(request_id=request.pk, by=world.linus)
