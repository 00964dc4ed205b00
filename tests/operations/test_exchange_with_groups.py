"""Edits, questions and a person's result where a policy says whose signatures, which checks and which duties."""

import pytest

from approvals.models import ApprovalRequest, Decision
from approvals.operations import questions
from approvals.queries import history, review, signed_by, waiting_for
from approvals.rules.permissions import OwnRequest
from approvals.rules.signers import NotNeeded, standing
from audit.lifecycle import database_now
from audit.refusals import Invalid
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.gate.redeem import redeem
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fay():
    return make.person("fay", "view", "review")


@pytest.fixture
def rob():
    return make.person("rob", "view", "review")


@pytest.fixture
def groups(fay, rob):
    make.group("finance", fay)
    make.group("risk", rob)


@pytest.fixture
def large(groups):
    """Above 1,000.00: one from finance and one from risk, who compared the account."""
    return make.policy(
        "large", required=1, needs=make.needs("1 from finance", "1 from risk"), checks=["Account compared?"]
    )


def to(request, amount, by):
    arguments = make.arguments(amount) | {"reference": "ADJ-1"}
    return edit(
        request_id=request.pk, by=make.actor(by), digest=request.digest, revision=request.revision, arguments=arguments
    )


def missing(request):
    return standing(ApprovalRequest.objects.get(pk=request.pk)).missing


class TestAnEdit:
    def test_into_the_reach_of_a_policy_asks_its_groups_and_its_checks(self, large, fay, rob):
        edited = to(make.request("20.00"), "4860.00", fay)

        assert (edited.required, edited.tier, edited.checks) == (2, "financial", ["Account compared?"])
        assert missing(edited) == "one from Finance and one from Risk"
        with pytest.raises(Invalid, match="Account compared"):
            make.approvals.approve(
                request_id=edited.pk, by=make.actor(fay), voice=make.voice(edited, answers={}, by=make.actor(fay))
            )
        make.approved(edited, fay)
        assert make.approved(edited, rob).status == "approved"
        assert redeem(action_id=edited.subject_id, by=make.MAKER).arguments["amount"] == "4860.00"

    def test_out_of_the_reach_of_a_policy_still_asks_what_was_asked(self, large, fay):
        edited = to(make.request("4860.00"), "20.00", fay)

        assert (edited.required, edited.checks) == (2, ["Account compared?"])
        assert missing(edited) == "one from Finance and one from Risk"
        assert any("large" in reason for reason in edited.reasons)

    def test_opens_the_seats_again_to_whoever_had_signed(self, large, fay, rob):
        request = make.request("4860.00")
        make.approved(request, fay)
        before = waiting_for(make.actor(fay)).count()

        to(ApprovalRequest.objects.get(pk=request.pk), "4861.00", rob)

        assert (before, waiting_for(make.actor(fay)).count()) == (0, 1)
        assert missing(request) == "one from Finance and one from Risk"

    def test_adds_whoever_edited_a_policy_that_holds_now_to_those_who_do_not_sign(self, groups, fay):
        request = make.request("20.00")
        policy = make.policy("large", required=1)
        type(policy).objects.filter(pk=policy.pk).update(editors=[fay.pk])

        edited = to(request, "4860.00", fay)

        with pytest.raises(OwnRequest, match="edited the policy large"):
            make.approved(edited, fay)


class TestAResultGivenByAPerson:
    def test_is_taken_from_the_group_the_policy_asks_and_from_nobody_else(self, groups, fay, rob):
        make.policy("risky", required=1, condition="", needs=make.needs("1 from risk"))
        request = make.request("20.00")
        given = {"voice": make.voice(request, "duplicate"), "result": {"posting": "P-9"}}

        with pytest.raises(NotNeeded, match="one from Risk"):
            answer_instead(request_id=request.pk, by=make.actor(fay), **given)
        assert not Decision.objects.exists()
        assert answer_instead(request_id=request.pk, by=make.actor(rob), **given).status == "answered"

    def test_gives_a_reason_that_the_policy_offers(self, fay):
        make.policy("narrow", required=1, condition="", reason_codes=["within_policy", "not_allowed"])
        request = make.request("20.00")

        with pytest.raises(Invalid, match="Choose a reason"):
            answer_instead(
                request_id=request.pk,
                by=make.actor(fay),
                voice=make.voice(request, "duplicate"),
                result={"posting": "P"},
            )


class TestWhoeverAnswersAQuestion:
    def test_does_not_sign_under_another_account_either_and_is_told_why(self, fay):
        operator = make.person("olga", "view", "operate")
        other = make.person("olga-two", "view", "review")
        make.linked("olga", operator, other)
        request = make.request("20.00")
        questions.send_back(
            request_id=request.pk, by=make.actor(fay), digest=request.digest, revision=1, question="Why?"
        )
        questions.reply(request_id=request.pk, by=make.actor(operator), text="A fee.")

        with pytest.raises(OwnRequest, match="You answered the reviewers' question under another account"):
            make.approved(ApprovalRequest.objects.get(pk=request.pk), other)


class TestTheBlind:
    def test_counts_the_accounts_of_one_person_as_one_reader(self, fay, rob):
        other = make.person("fay-two", "view", "review")
        make.linked("fay", fay, other)
        make.policy("two", required=2, condition="")
        request = make.approved(make.request("20.00"), fay)
        voices = list(request.decisions.all())

        assert signed_by(make.actor(other), [request], voices) == {request.pk}
        assert signed_by(make.actor(rob), [request], voices) == set()
        assert review(make.actor(other), request.pk, now=database_now()).mine == voices[0]
        told = history([request], mine=signed_by(make.actor(rob), [request], voices))
        assert not [one for one in told.entries if ".signed_" in one.event.event]
