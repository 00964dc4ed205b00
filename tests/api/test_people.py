"""What concerns one person: claims, delegations, absences, their bulk operations. Their own session, and no token, ever."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from approvals.models import Absence, ApprovalRequest, Claim, Delegation
from approvals.operations import bulk
from audit import actors
from tests.api.conftest import Caller, cancel_order, make_person, make_token, signed_in, voice

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SOON, LATER = (NOW - timedelta(minutes=1)).isoformat(), (NOW + timedelta(days=7)).isoformat()


@pytest.fixture
def approval(api):
    return api.post("actions/", cancel_order())[1]["approval"]["id"]


@pytest.fixture
def browser(grace):
    return signed_in(grace)


@pytest.fixture
def linus(world):
    return make_person("linus", world, "view", "review")


class TestAClaim:
    def test_is_taken_held_longer_and_given_back(self, browser, approval):
        first = browser.post(f"approvals/{approval}/claims/")
        longer = browser.post(f"approvals/{approval}/claims/")
        back = browser.post(f"approvals/{approval}/releases/")

        assert [answer[0] for answer in (first, longer, back)] == [201, 201, 201]
        assert [claim["person_name"] for claim in first[1]["claims"]] == ["grace"]
        assert longer[1]["claims"][0]["held_until"] >= first[1]["claims"][0]["held_until"]
        assert back[1]["claims"] == []

    def test_of_somebody_else_is_told_and_refuses_the_next(self, browser, linus, approval):
        browser.post(f"approvals/{approval}/claims/")

        status, problem, _ = signed_in(linus).post(f"approvals/{approval}/claims/")

        assert (status, problem["code"]) == (409, "held")
        assert "grace" in problem["detail"]

    def test_that_lapsed_is_taken_over(self, browser, linus, approval):
        browser.post(f"approvals/{approval}/claims/")
        Claim.objects.update(claimed_at=NOW - timedelta(hours=2), held_until=NOW - timedelta(hours=1))

        status, shown, _ = signed_in(linus).post(f"approvals/{approval}/claims/")

        assert (status, [claim["person_name"] for claim in shown["claims"]]) == (201, ["linus"])

    def test_is_not_told_to_the_agent(self, api, browser, approval):
        browser.post(f"approvals/{approval}/claims/")

        assert api.get(f"approvals/{approval}/")[1]["claims"] == []

    def test_one_does_not_hold_is_not_given_back(self, browser, approval):
        status, problem, _ = browser.post(f"approvals/{approval}/releases/")

        assert (status, problem["code"]) == (409, "not_held")


class TestADelegation:
    def lend(self, browser, **more):
        body = {"unit": "support", "to": "linus", "starts_at": SOON, "ends_at": LATER, **more}
        return browser.post("delegations/", body)

    @pytest.fixture
    def vera(self, world):
        """May look into the unit, and does not review there."""
        return make_person("vera", world, "view")

    def test_is_lent_seen_by_both_used_and_revoked(self, browser, vera, approval):
        status, row, _ = self.lend(browser, to="vera")
        other = signed_in(vera)
        read = other.get(f"approvals/{approval}/")[1]

        signed = other.post(f"approvals/{approval}/decisions/", voice(read))[1]
        ended = other.post(f"delegations/{row['id']}/revocations/")

        assert (status, row["unit"], row["delegate_name"]) == (201, "support", "vera")
        assert [one["id"] for one in other.get("delegations/")[1]["results"]] == [row["id"]]
        lender = get_user_model().objects.get(username="grace")
        assert [(one["for_person"], one["for_person_name"]) for one in signed["decisions"]] == [
            (f"user:{lender.pk}", "grace")
        ]
        assert (ended[0], ended[1]["revoked_at"] is not None) == (201, True)

    @pytest.mark.parametrize("to", ["nobody", "stranger", "grace"])
    def test_is_lent_to_no_stranger_and_guesses_no_account(self, browser, other_unit, to):
        make_person("stranger", other_unit, "view")

        status, problem, _ = self.lend(browser, to=to)

        assert (status, problem["errors"][0]["pointer"], problem["detail"]) == (
            422,
            "/to",
            "There is no such colleague.",
        )
        assert not Delegation.objects.exists()

    def test_of_others_is_not_there(self, browser, vera, linus):
        row = self.lend(browser, to="vera")[1]
        stranger = signed_in(linus)

        assert stranger.get("delegations/")[1]["results"] == []
        assert stranger.post(f"delegations/{row['id']}/revocations/")[0] == 404

    def test_that_ends_before_it_begins_is_refused_with_the_field_that_is_wrong(self, browser, linus):
        status, problem, _ = self.lend(browser, starts_at=LATER, ends_at=SOON)

        assert (status, problem["errors"][0]["pointer"]) == (422, "/ends_at")

    def test_under_one_key_is_answered_alike_also_when_the_colleague_has_left(self, browser, vera):
        body, key = {"unit": "support", "to": "vera", "starts_at": SOON, "ends_at": LATER}, {"Idempotency-Key": "k"}
        first = browser.post("delegations/", body, **key)
        vera.is_active = False
        vera.save()

        again = browser.post("delegations/", body, **key)

        assert (first[0], again[0], again[1]) == (201, 201, first[1])
        assert self.lend(browser, to="vera")[0] == 422


class TestAnAbsence:
    def test_is_announced_and_over(self, browser, linus):
        status, row, _ = browser.post("absences/", {"away_from": SOON, "away_until": LATER, "stand_in": "linus"})

        back = browser.post(f"absences/{row['id']}/returns/")

        assert (status, row["stand_in_name"]) == (201, "linus")
        assert (back[0], back[1]["revoked_at"] is not None) == (201, True)
        assert [one["id"] for one in browser.get("absences/")[1]["results"]] == [row["id"]]

    def test_of_others_is_not_there(self, browser, linus):
        row = browser.post("absences/", {"away_from": SOON, "away_until": LATER})[1]

        assert signed_in(linus).get("absences/")[1]["results"] == []
        assert signed_in(linus).post(f"absences/{row['id']}/returns/")[0] == 404
        assert Absence.objects.get().revoked_at is None

    def test_that_ends_before_it_begins_is_refused_with_the_field_that_is_wrong(self, browser):
        status, problem, _ = browser.post("absences/", {"away_from": LATER, "away_until": SOON})

        assert (status, problem["errors"][0]["pointer"]) == (422, "/away_until")

    def test_under_one_key_is_answered_alike_also_when_the_stand_in_has_left(self, browser, linus):
        body, key = {"away_from": SOON, "away_until": LATER, "stand_in": "linus"}, {"Idempotency-Key": "k"}
        first = browser.post("absences/", body, **key)
        linus.is_active = False
        linus.save()

        assert browser.post("absences/", body, **key)[:2] == (201, first[1])


class TestABulkOperation:
    def test_is_read_by_its_person_and_by_nobody_else(self, browser, grace, linus, approval):
        by = actors.person(grace.pk, "grace")
        operation = bulk.preview(act="reject", requests=[ApprovalRequest.objects.get(pk=approval)], by=by)

        listed, one = browser.get("bulk-operations/")[1]["results"], browser.get(f"bulk-operations/{operation.pk}/")[1]

        assert [row["id"] for row in listed] == [str(operation.pk)]
        assert (one["act"], one["status"], [item["approval"] for item in one["items"]]) == (
            "reject", "previewed", [approval],
        )  # fmt: skip
        assert signed_in(linus).get(f"bulk-operations/{operation.pk}/")[0] == 404
        assert signed_in(linus).get("bulk-operations/")[1]["results"] == []

    def test_is_confirmed_by_no_address(self, browser, grace, approval):
        by = actors.person(grace.pk, "grace")
        operation = bulk.preview(act="reject", requests=[ApprovalRequest.objects.get(pk=approval)], by=by)

        answers = [browser.post(f"bulk-operations/{operation.pk}/{end}")[0] for end in ("", "confirmation/")]

        assert answers == [405, 404]
        assert ApprovalRequest.objects.get(pk=approval).status == "pending"


@pytest.mark.parametrize("path", ["delegations/", "absences/", "bulk-operations/"])
def test_a_token_comes_in_nowhere(world, path):
    status, problem, _ = Caller(make_token()).get(path)

    assert (status, problem["code"]) == (403, "people_only")
