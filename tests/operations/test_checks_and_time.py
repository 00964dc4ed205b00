"""What a decision has to say under its policy, and what follows when nobody says anything."""

from datetime import timedelta

import pytest

from approvals import operations as approvals
from approvals.models import ApprovalPolicy, ApprovalRequest, Decision, Notice
from approvals.notifying.spread import concerned
from approvals.open_hours import after
from approvals.operations.escalation import escalate_due
from approvals.operations.questions import send_back
from approvals.queries import QueueFilters, review
from approvals.queries.queue import queue
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Invalid
from tests import make

pytestmark = pytest.mark.django_db
AMOUNT, IBAN = "Amount matches the invoice?", "IBAN checked in the bank's master data?"


@pytest.fixture
def grace():
    return make.person("grace", "view", "review")


def decide(request, user, verdict="approve", **said):
    act = getattr(approvals, verdict)
    return act(request_id=request.pk, by=make.actor(user), voice=make.voice(request, **said, by=make.actor(user)))


class TestChecks:
    @pytest.fixture
    def asked(self):
        make.policy("one", required=1, condition="", checks=[AMOUNT])
        make.policy("two", required=1, condition="", checks=[IBAN, AMOUNT])
        return make.request()

    def test_of_all_policies_are_asked_once_each(self, asked):
        assert sorted(asked.checks) == sorted([AMOUNT, IBAN])

    def test_answered_yes_are_stored_with_the_decision(self, asked, grace):
        decide(asked, grace, answers={AMOUNT: True, IBAN: True})

        assert Decision.objects.get().answers == {AMOUNT: True, IBAN: True}

    @pytest.mark.parametrize(
        ("answers", "code", "says"),
        [
            ({}, "required", "before you approve"),
            ({AMOUNT: True}, "required", "before you approve"),
            ({AMOUNT: True, IBAN: False}, "answered_no", "You answered no to “IBAN"),
            ({AMOUNT: True, IBAN: "yes"}, "not_yes_or_no", "do not fit"),
            ({AMOUNT: True, IBAN: 1}, "not_yes_or_no", "do not fit"),
            ({AMOUNT: True, IBAN: True, "Else?": True}, "unknown_check", "do not fit"),
        ],
    )
    def test_that_are_not_all_yes_block_approving(self, asked, grace, answers, code, says):
        with pytest.raises(Invalid, match=says) as refusal:
            decide(asked, grace, answers=answers)

        assert code in {error[1] for error in refusal.value.errors}
        assert not Decision.objects.exists()

    def test_may_be_left_open_or_answered_no_by_whoever_rejects(self, asked, grace):
        decide(asked, grace, "reject", reason_code="wrong_amount", answers={AMOUNT: False})

        assert Decision.objects.get().answers == {AMOUNT: False}

    def test_stay_as_they_were_when_asked(self, asked, grace):
        make._activated(ApprovalPolicy(name="two", version=2, tool="*", required=1, reason="two", checks=["New?"]))

        decide(asked, grace, answers={AMOUNT: True, IBAN: True})

        assert ApprovalRequest.objects.get(pk=asked.pk).status == "approved"


class TestReasonCodes:
    def test_outside_of_the_policys_list_are_refused(self, grace):
        make.policy("narrow", required=1, condition="", reason_codes=["evidence_checked", "wrong_amount"])
        asked = make.request()

        with pytest.raises(Invalid, match="Choose a reason to approve"):
            decide(asked, grace, reason_code="within_policy")
        with pytest.raises(Invalid, match="Choose a reason to reject"):
            decide(asked, grace, "reject", reason_code="duplicate")
        decide(asked, grace, reason_code="evidence_checked")

    def test_of_two_policies_are_those_both_offer_and_other_is_always_left(self, grace):
        make.policy("one", required=1, condition="", reason_codes=["evidence_checked", "wrong_amount"])
        make.policy("two", required=1, condition="", reason_codes=["within_policy", "wrong_amount"])
        asked = make.request()

        assert asked.reason_codes == ["other", "wrong_amount"]
        decide(asked, grace, reason_code="other", note="seen on paper")


class TestTimeOut:
    @pytest.fixture
    def escalating(self, grace):
        make.group("seniors", grace)
        make.policy("slow", required=1, condition="", on_timeout="escalate", escalate_to="seniors")
        asked = make.request()
        for column in ("decide_by", "next_notice_at"):
            make.later("approvals_approvalrequest", column, asked.pk, 2 * 24 * 3600)
        return asked

    def test_that_escalates_leaves_the_request_waiting_and_says_so_once(self, escalating):
        ended = []
        for _ in range(3):
            escalate_due(by=make.MAKER)
            ended.append(approvals.expire_overdue(by=make.MAKER))

        escalating.refresh_from_db()
        assert (ended, escalating.status) == ([0, 0, 0], "pending")
        assert AuditEvent.objects.filter(event="approval_request.overdue", object_id=escalating.pk).count() == 1
        (event,) = AuditEvent.objects.filter(event="approval_request.escalated", object_id=escalating.pk)
        assert "Seniors" in event.data

    def test_that_escalates_asks_the_group_next_and_tells_its_members(self, escalating, grace):
        escalate_due(by=make.MAKER)

        (step,) = escalating.escalations.filter(kind="level")
        assert (step.step, step.reviewers, step.asked_name) == ("asked-next", "seniors", "Seniors")
        notice = Notice.objects.get(kind="escalated", request=escalating)
        assert concerned(notice) == {grace.pk}
        assert queue(make.actor(grace), QueueFilters(held="me")).get() == escalating

    def test_goes_on_while_the_asker_is_asked_something(self, escalating, grace):
        """Sending back pauses nothing."""
        send_back(request_id=escalating.pk, by=make.actor(grace), digest=escalating.digest, revision=1, question="Why?")

        escalate_due(by=make.MAKER)

        assert escalating.escalations.filter(kind="level").count() == 1

    def test_that_escalates_takes_a_late_decision(self, escalating, grace):
        assert make.approved(escalating, grace).status == "approved"

    def test_is_told_in_advance_with_the_group_that_is_asked_next(self, escalating, grace):
        silence = review(make.actor(grace), escalating.pk, now=database_now()).consequences[-1]

        assert "Seniors is asked next" in silence.says
        assert silence.then == "Silence never approves."

    def test_of_several_policies_is_the_strictest(self, grace):
        make.group("seniors", grace)
        make.policy("hold", required=1, condition="", on_timeout="hold")
        held = make.request()
        make.policy("slow", required=1, condition="", on_timeout="escalate", escalate_to="seniors")
        escalated = make.request()
        make.policy("fast", required=1, condition="", on_timeout="reject")
        rejected = make.request()

        said = [(row.on_timeout, row.escalate_to) for row in (held, escalated, rejected)]
        assert said == [("hold", ""), ("escalate", "seniors"), ("reject", "")]


class TestACalendar:
    def test_makes_the_time_to_decide_count_open_hours_only(self):
        office = make.calendar(weekly_hours="Mon-Fri 09:00-10:00", time_zone="Europe/Oslo")
        make.policy("slow", required=1, condition="", decide_within_seconds=10 * 3600, calendar="office")

        asked = make.request()

        due = after(asked.created_at, 10 * 3600, office.hours)
        assert abs(asked.decide_by - due) < timedelta(seconds=5)
        assert asked.decide_by > asked.created_at + timedelta(days=9)
        assert asked.calendar == "Office"

    def test_beside_a_policy_without_one_leaves_the_earlier_deadline(self):
        make.calendar(weekly_hours="Mon-Fri 09:00-10:00")
        make.policy("slow", required=1, condition="", decide_within_seconds=10 * 3600, calendar="office")
        make.policy("fast", required=1, condition="", decide_within_seconds=20 * 3600)

        asked = make.request()

        assert abs(asked.decide_by - asked.created_at - timedelta(hours=20)) < timedelta(seconds=5)
        assert asked.calendar == ""

    def test_that_is_hardly_ever_open_keeps_nobody_from_asking_and_counts_round_the_clock(self):
        make.calendar(weekly_hours="Mon 09:00-09:01")
        make.policy("slow", required=1, condition="", decide_within_seconds=10 * 24 * 3600, calendar="office")

        asked = make.request()

        assert abs(asked.decide_by - asked.created_at - timedelta(days=10)) < timedelta(seconds=5)
        assert asked.calendar == ""

    def test_that_is_no_longer_in_force_counts_round_the_clock(self):
        make.policy("slow", required=1, condition="", decide_within_seconds=10 * 3600, calendar="gone")

        asked = make.request()

        assert abs(asked.decide_by - asked.created_at - timedelta(hours=10)) < timedelta(seconds=5)
