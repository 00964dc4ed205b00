"""Whose signatures open an action: groups with AND, at the decision and again at the dispatch."""

import pytest

from approvals.models import ApprovalRequest, Decision
from approvals.operations import NotUsable, use
from approvals.queries import QueueFilters, queue_page, review, waiting_for
from approvals.rules.signers import NotNeeded, standing
from audit.lifecycle import database_now
from orchestrator.gate.redeem import Void, redeem
from orchestrator.models import Action
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def fay():
    return make.person("fay", "view", "review")


@pytest.fixture
def rob():
    return make.person("rob", "view", "review")


@pytest.fixture
def both():
    return make.person("bo", "view", "review")


@pytest.fixture
def asked(fay, rob, both):
    """One from finance and one from risk; bo is in both."""
    make.group("finance", fay, both)
    make.group("risk", rob, both)
    make.policy("payments", required=1, needs=make.needs("1 from finance", "1 from risk"))
    return make.request("4860.00")


def missing(request):
    return standing(ApprovalRequest.objects.get(pk=request.pk)).missing


def action_of(request):
    return Action.objects.get(pk=request.subject_id)


class TestOneFromEachOfTwoGroups:
    def test_are_two_people_whatever_number_the_policy_says(self, asked):
        assert (asked.required, asked.tier) == (2, "financial")
        assert missing(asked) == "one from Finance and one from Risk"

    def test_open_the_action_together(self, asked, fay, rob):
        waiting = make.approved(asked, fay)
        said = missing(asked)
        done = make.approved(asked, rob)

        assert (waiting.status, said, done.status) == ("pending", "one from Risk", "approved")
        assert redeem(action_id=asked.subject_id, by=make.MAKER).arguments["amount"] == "4860.00"

    def test_are_not_one_person_who_is_in_both(self, asked, fay, both):
        waiting = make.approved(asked, both)
        said = missing(asked)
        done = make.approved(asked, fay)

        assert (waiting.status, said, done.status) == ("pending", "one from Finance or Risk", "approved")

    def test_do_not_take_a_signature_that_fills_no_seat(self, asked, fay):
        other = make.person("gus", "view", "review")
        make.approved(asked, fay)

        with pytest.raises(NotNeeded, match="still needed is one from Risk"):
            make.approved(asked, other)
        assert Decision.objects.filter(request=asked).count() == 1

    def test_leave_rejecting_to_every_reviewer(self, asked):
        other = make.person("gus", "view", "review")

        assert make.rejected(asked, other).status == "rejected"

    def test_are_asked_for_again_when_a_group_has_lost_its_signer(self, asked, fay, rob):
        make.approved(asked, fay)
        make.group("finance", make.person("gus", "view", "review"))

        waiting = make.approved(asked, rob)

        assert (waiting.status, missing(asked)) == ("pending", "one from Finance")

    def test_are_checked_again_at_the_dispatch(self, asked, fay, rob):
        make.approved(make.approved(asked, fay), rob)
        make.group("risk", make.person("gus", "view", "review"))

        with pytest.raises(Void) as refusal:
            redeem(action_id=asked.subject_id, by=make.MAKER)

        assert refusal.value.code == "signature_revoked"
        assert action_of(asked).status == "void"

    def test_open_nothing_while_a_group_is_not_in_force(self, asked, fay, rob):
        from approvals.models import ReviewerGroup
        from audit.definitions import retire

        make.approved(asked, fay)
        retire(ReviewerGroup.objects.active().get(name="risk"), by=make.MAKER)

        with pytest.raises(NotNeeded, match="one from risk"):
            make.approved(asked, rob)


class TestMoreThanTwoPeople:
    def test_sign_when_the_groups_are_more(self, fay, rob, both):
        third = make.person("gus", "view", "review")
        make.group("finance", fay, both, third)
        make.group("risk", rob)
        make.policy("payments", needs=make.needs("2 from finance", "1 from risk"))
        request = make.request("4860.00")

        waiting = make.approved(make.approved(request, fay), both)
        said = missing(request)

        assert (request.required, waiting.status, said) == (3, "pending", "one from Risk")
        with pytest.raises(NotNeeded):
            make.approved(request, third)
        assert make.approved(request, rob).status == "approved"


class TestSeveralPolicies:
    def test_that_hold_are_all_met(self, fay, rob, both):
        make.group("finance", fay, both)
        make.group("risk", rob)
        make.policy("one", required=2, condition="")
        make.policy("two", required=0, needs=make.needs("1 from finance"), condition="")
        make.policy("three", required=1, needs=make.needs("1 from risk", "2 from finance"), condition="")
        request = make.request()

        assert request.required == 3
        assert missing(request) == "two from Finance and one from Risk"


class TestAPolicyPutInForceMeanwhile:
    def test_voids_a_grant_that_lacks_one_of_its_groups(self, fay, rob):
        make.policy()
        request = make.approved(make.approved(make.request("4860.00"), fay), rob)
        make.group("risk", rob)
        make.policy("stricter", required=0, needs=make.needs("1 from risk"), condition="")

        with pytest.raises(Void) as refusal:
            redeem(action_id=request.subject_id, by=make.MAKER)

        assert refusal.value.code == "policy_changed"


class TestTheQueue:
    def test_offers_a_request_to_those_whose_signature_would_count(self, asked, fay, rob, both):
        other = make.person("gus", "view", "review")
        before = {user.username: waiting_for(make.actor(user)).count() for user in (fay, rob, both, other)}
        make.approved(asked, fay)
        after = {user.username: waiting_for(make.actor(user)).count() for user in (fay, rob, both, other)}

        assert before == {"fay": 1, "rob": 1, "bo": 1, "gus": 0}
        assert after == {"fay": 0, "rob": 1, "bo": 1, "gus": 0}

    def test_says_who_is_still_needed(self, asked, fay, rob):
        make.approved(asked, fay)

        (row,) = queue_page(make.actor(rob), QueueFilters()).rows

        assert (row.given, row.missing) == (1, "one from Risk")

    def test_shows_why_a_signature_would_not_count_and_keeps_rejecting_open(self, asked):
        other = make.person("gus", "view", "review")

        may = review(make.actor(other), asked.pk, now=database_now()).may

        assert may.allowed
        assert "one from Finance and one from Risk" in may.why


class TestARevokedReviewer:
    def test_no_longer_counts_at_the_next_signature(self, fay, rob):
        from budgets.models import UnitUserPermission

        make.policy()
        request = make.approved(make.request("4860.00"), fay)
        UnitUserPermission.objects.filter(user=fay, permission__codename="review_businessunit").delete()

        assert make.approved(request, rob).status == "pending"
        assert missing(request) == "one more reviewer"

    def test_no_longer_counts_at_the_dispatch(self, fay, rob):
        make.policy()
        request = make.approved(make.approved(make.request("4860.00"), fay), rob)
        fay.is_active = False
        fay.save()

        with pytest.raises(NotUsable, match="no longer counts"):
            use(subject_id=request.subject_id, digest=request.digest, by=make.MAKER)
