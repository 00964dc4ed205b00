"""The workflow of the README, with questions for whoever approves, from its file to the CRM's own books."""

import json

import pytest
from django.contrib.auth import get_user_model

from budgets.models import BusinessUnit
from budgets.permissions import grant
from orchestrator.operations import executions
from orchestrator.releases.folders import install
from tests import worlds as make
from tests.engine.driving import approve, asked, attempts, drive, statuses
from tests.unit.example_world import CRM, EXAMPLES, running

FOLDER = EXAMPLES / "support_case_resolution"
CASES = {case["case_id"]: case for case in json.loads((FOLDER / "data/cases.json").read_text())}


@pytest.fixture
def support(world, settings, tmp_path):
    """The example as it ships, its CRM on a free port."""
    unit = BusinessUnit(name="support", title="Customer support")
    make.draft(unit, by=make.SETUP)
    make.activate(unit, by=make.SETUP)
    get_user_model().objects.create_user("operator")
    for name, permissions in {"ada": ("view", "operate"), "grace": ("view", "review")}.items():
        for permission in permissions:
            grant(get_user_model().objects.get(username=name), permission, unit)
    install(FOLDER, by=make.SETUP)
    with running(CRM, tmp_path / "books") as crm:
        settings.HANDLER_ENV = {"CRM_URL": crm.url}
        yield crm


def resolved(world, number, **changes):
    execution = executions.start(
        workflow="support_case_resolution", input=CASES[f"CASE-{number}"] | changes, unit="support", by=world.ada
    )
    drive(execution)
    return execution


class TestASmallRefund:
    def test_is_answered_without_a_person(self, world, support):
        execution = resolved(world, 1001)

        assert execution.status == "succeeded"
        (update,) = support.get("/books")["updates"]
        assert (update["case_id"], update["refund_amount"]) == ("CASE-1001", 89.9)


class TestALargeRefund:
    def test_waits_for_a_person_and_is_then_written_once(self, world, support):
        execution = resolved(world, 1002)
        assert statuses(execution)["approve"] == "awaiting_approval"
        assert support.get("/books")["updates"] == []

        request = asked(execution)
        assert [check.split(" ")[0] for check in request.checks] == ["Is", "Does", "Does"]
        assert request.title == "Send the reply to Hotel Seeblick (CASE-1002, order 5521), refund EUR 1140?"
        approve(request, world.grace)
        drive(execution)

        assert execution.status == "succeeded"
        assert len(support.get("/books")["updates"]) == 1


class TestAReplyThatIsLost:
    def test_is_looked_up_and_not_written_twice(self, world, support):
        support.plan("drop_reply")

        execution = resolved(world, 1001)

        assert execution.status == "succeeded"
        assert attempts(execution, "commit") == [("failed", "unknown_outcome"), ("succeeded", "")]
        assert len(support.get("/books")["updates"]) == 1


class TestAnAmountInDoubt:
    def test_is_refunded_by_nobody_until_a_person_says_what_is_claimed(self, world, support):
        message = "Twelve chairs of order 5521 are damaged. We paid EUR 1.140,00 for them."
        execution = resolved(world, 1002, message=message)

        assert statuses(execution)["triage"] == "awaiting_approval"
        assert "EUR 1.140,00 is not written like EUR 1,140.00" in asked(execution).reasons[0]
        assert support.get("/books")["updates"] == []


class TestWhatRulesMustNotAnswer:
    def test_goes_to_a_person(self, world, support):
        execution = resolved(world, 1008)

        assert statuses(execution)["triage"] == "awaiting_approval"
        assert "legal action" in asked(execution).reasons[0]


class TestADraftBelowTheScore:
    def test_is_not_sent(self, world, support):
        execution = resolved(world, 1009)

        assert execution.status == "failed"
        assert "0.8 is below the 0.92" in execution.why
        assert support.get("/books")["updates"] == []
