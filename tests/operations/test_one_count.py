"""One count of signatures: seats of groups, rights that were lent, duties, linked accounts and broken glass, asked together."""

from datetime import timedelta

import pytest

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Outcome
from approvals.operations import NotUsable, claims, delegations, emergencies, stops, use
from approvals.operations.assignments import CannotBeAsked, assign
from approvals.operations.bulk import preview
from approvals.operations.bulk_rules import NotAlike
from approvals.operations.questions import reply, send_back
from approvals.operations.stops import Target
from approvals.queries import review, waiting_for
from approvals.queries.queue import one_row
from approvals.rules.permissions import OwnRequest
from approvals.rules.signers import NotNeeded, standing
from approvals.rules.standing import StandsIn
from audit.lifecycle import database_now
from audit.refusals import Forbidden, Refusal, Stale
from tests import make

pytestmark = pytest.mark.django_db
REASON = "the bank closes in ten minutes"


@pytest.fixture
def fay():
    return make.person("fay", "view", "review")


@pytest.fixture
def rob():
    return make.person("rob", "view", "review")


@pytest.fixture
def dora():
    """May look into the unit, and no more."""
    return make.person("dora", "view")


@pytest.fixture
def asked(fay, rob):
    """One from finance and one from risk."""
    make.group("finance", fay)
    make.group("risk", rob)
    make.policy("payments", required=1, needs=make.needs("1 from finance", "1 from risk"))
    return make.request("4860.00")


def lend(lender, to):
    now = database_now()
    return delegations.delegate(
        unit_id=make.unit().pk, to=to.pk, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=1),
        by=make.actor(lender),
    )  # fmt: skip


def again(request):
    return ApprovalRequest.objects.get(pk=request.pk)


def glass(request, user):
    return emergencies.break_glass(
        request_id=request.pk, by=make.actor(user), voice=make.voice(request, by=make.actor(user)), reason=REASON
    )


class TestADelegate:
    def test_fills_the_seat_of_whom_they_sign_for(self, asked, fay, rob, dora):
        lend(fay, dora)
        waiting = make.approved(asked, dora)

        assert (standing(waiting).missing, waiting.open_to) == ("one from Risk", ["risk"])
        assert make.approved(asked, rob).status == "approved"
        assert use(subject_id=asked.subject_id, digest=asked.digest, by=make.MAKER).status == "used"

    def test_finds_it_in_the_queue_as_long_as_that_seat_is_free(self, asked, fay, dora):
        assert not waiting_for(make.actor(dora)).exists()
        lend(fay, dora)
        before = waiting_for(make.actor(dora)).get()
        make.approved(asked, fay)

        assert (before, waiting_for(make.actor(dora)).exists()) == (asked, False)

    def test_signs_by_the_lent_right_where_their_own_fills_no_seat(self, asked, fay):
        other = make.person("otto", "view", "review")
        with pytest.raises(NotNeeded):
            make.approved(asked, other)
        lend(fay, other)

        make.approved(asked, other)

        assert asked.decisions.get().for_person_name == "fay"

    def test_of_somebody_with_a_duty_under_another_account_signs_nothing(self, asked, fay, dora):
        other_account = make.person("fay-admin", "view")
        make.linked("fay", fay, other_account)
        lend(fay, dora)
        ApprovalRequest.objects.filter(pk=asked.pk).update(excluded=[f"user:{other_account.pk}"])

        with pytest.raises((StandsIn, Forbidden)):
            make.approved(asked, dora)
        assert not asked.decisions.exists()

    def test_does_not_count_at_dispatch_when_either_person_took_a_duty_since(self, asked, fay, rob, dora):
        lend(fay, dora)
        make.approved(asked, dora, rob)

        for one in (fay, dora):
            with pytest.raises(NotUsable, match="no longer counts"):
                use(
                    subject_id=asked.subject_id, digest=asked.digest, by=make.MAKER,
                    duties={f"user:{one.pk}": "own the agent clerk"},
                )  # fmt: skip

    def test_is_no_second_pair_of_eyes_under_another_account(self, fay, rob, dora):
        """One pen writes one signature, also when the accounts are linked afterwards."""
        make.policy("two", required=2, condition="")
        request = make.request("20.00")
        second = make.person("dora-two", "view", "review")
        lend(fay, dora)
        make.approved(request, dora, second)
        make.linked("dora", dora, second)

        assert standing(again(request)).given == 1

    def test_is_told_on_the_page_for_whom_they_sign(self, asked, fay, dora):
        lend(fay, dora)

        shown = review(make.actor(dora), asked.pk, now=database_now())

        assert (shown.may.allowed, shown.signs_for) == (True, "fay")

    def test_has_the_lender_count_as_somebody_who_signed(self, asked, fay, dora):
        lend(fay, dora)
        make.approved(asked, dora)

        assert one_row(make.actor(fay), asked.pk).yours == "you signed"
        assert one_row(make.actor(dora), asked.pk).yours == "you signed"
        with pytest.raises(Refusal, match=r"has signed this request for you|signed already"):
            make.approved(asked, fay)


class TestBrokenGlass:
    def test_opens_what_needs_two_groups(self, asked, fay):
        assert glass(asked, fay).status == "approved"
        assert use(subject_id=asked.subject_id, digest=asked.digest, by=make.MAKER).status == "used"

    def test_asks_for_every_part_of_the_page_like_any_signature(self, asked, fay):
        unread = make.signing.voice(asked, viewed={})

        with pytest.raises(Refusal, match="Still to view"):
            emergencies.break_glass(request_id=asked.pk, by=make.actor(fay), voice=unread, reason=REASON)
        assert again(asked).status == "pending"

    def test_never_goes_around_duties(self, asked, fay):
        ApprovalRequest.objects.filter(pk=asked.pk).update(excluded=[f"user:{fay.pk}"])
        with pytest.raises(OwnRequest):
            glass(asked, fay)

    def test_opens_nothing_when_a_duty_was_taken_since(self, asked, fay):
        glass(asked, fay)

        with pytest.raises(NotUsable):
            use(
                subject_id=asked.subject_id, digest=asked.digest, by=make.MAKER,
                duties={f"user:{fay.pk}": "own the agent clerk"},
            )  # fmt: skip

    def test_waits_for_the_answer_of_what_was_sent_back(self, asked, fay, rob):
        send_back(request_id=asked.pk, by=make.actor(rob), digest=asked.digest, revision=1, question="Why so much?")

        with pytest.raises(Stale, match="sent back"):
            glass(again(asked), fay)


class TestAsking:
    def test_somebody_who_fills_no_seat_is_refused(self, asked, fay):
        other = make.person("otto", "view", "review")

        with pytest.raises(CannotBeAsked, match="otto cannot sign this request"):
            assign(request_id=asked.pk, to=other.pk, by=make.actor(fay))
        assert assign(request_id=asked.pk, to=fay.pk, by=make.actor(other)).person_name == "fay"


class TestAClaim:
    def test_is_not_taken_by_somebody_who_fills_no_seat(self, asked):
        other = make.person("otto", "view", "review")

        with pytest.raises(NotNeeded):
            claims.claim(request_id=asked.pk, by=make.actor(other))
        assert not one_row(make.actor(other), asked.pk).may_claim
        assert not review(make.actor(other), asked.pk, now=database_now()).may_claim

    def test_is_used_up_by_sending_back(self, asked, fay):
        claims.claim(request_id=asked.pk, by=make.actor(fay))
        send_back(request_id=asked.pk, by=make.actor(fay), digest=asked.digest, revision=1, question="Why so much?")

        assert not asked.claims.open().exists()
        with pytest.raises(Stale, match="sent back"):
            claims.claim(request_id=asked.pk, by=make.actor(fay))


class TestBulk:
    def test_does_not_approve_what_asks_questions_and_says_so(self, fay):
        make.policy("checked", required=1, condition="", checks=["Does it match?"])
        requests = [make.request("20.00", reference=name) for name in "AB"]

        with pytest.raises(NotAlike, match="answered one by one"):
            preview(act="approve", requests=requests, by=make.actor(fay))
        assert one_row(make.actor(fay), requests[0].pk).alike == ""

    def test_leaves_the_rejecting_of_what_needs_two_people_to_its_own_page(self, asked, fay):
        item = preview(act="reject", requests=[asked], by=make.actor(fay)).items.get()

        assert (item.outcome, "second factor" in item.why) == (Outcome.LEFT_OUT, True)

    def test_leaves_out_what_was_sent_back(self, asked, fay, rob):
        send_back(request_id=asked.pk, by=make.actor(rob), digest=asked.digest, revision=1, question="Why so much?")

        item = preview(act="claim", requests=[again(asked)], by=make.actor(fay)).items.get()

        assert (item.outcome, "sent back" in item.why) == (Outcome.LEFT_OUT, True)


class TestWhatWasSentBack:
    @pytest.fixture
    def stopped(self, asked, rob):
        """Sent back, and then stopped."""
        send_back(request_id=asked.pk, by=make.actor(rob), digest=asked.digest, revision=1, question="Why so much?")
        ada = make.person("ada", "view", "operate")
        engage = {"target": Target(scope="unit", unit_id=make.unit().pk), "by": make.actor(ada)}
        return asked, stops.engage(**engage, reason="the books do not agree"), ada

    def test_is_frozen_by_a_stop_like_everything_undecided(self, stopped):
        asked, stop, ada = stopped
        make.later("approvals_approvalrequest", "decide_by", asked.pk, 2 * 24 * 3600)

        assert again(asked).is_frozen
        assert approvals.expire_overdue(by=make.MAKER) == 0
        stops.lift(stop_id=stop.pk, by=make.actor(ada), why="they agree after all")
        assert not again(asked).is_frozen

    def test_may_be_answered_meanwhile(self, stopped):
        asked, _, ada = stopped
        reply(request_id=asked.pk, by=make.actor(ada), text="It is the yearly fee.")

        assert again(asked).status == "pending"
        assert again(asked).is_frozen

    def test_still_runs_out_of_time(self, asked, rob):
        send_back(request_id=asked.pk, by=make.actor(rob), digest=asked.digest, revision=1, question="Why so much?")
        make.later("approvals_approvalrequest", "decide_by", asked.pk, 2 * 24 * 3600)

        assert approvals.expire_overdue(by=make.MAKER) == 1
        assert again(asked).status == "expired"
