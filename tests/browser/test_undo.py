"""Doubt and undo in a real browser, light and dark: the lane, an answer, the page before an undo, and what it becomes."""

import pytest

from approvals.models import ApprovalRequest
from orchestrator.models import Execution
from orchestrator.operations import executions
from tests import make, worlds
from tests.engine.driving import approve
from tests.pages.test_undo import TOOLS, WORKFLOW

pytestmark = pytest.mark.django_db(transaction=True)


class TestAnUnknownOutcome:
    def test_is_found_in_its_lane_and_answered(self, opened, people, unit):
        make.doubt("PAY-1", of=unit, owner="treasury")
        ada = opened("ada")
        ada.page.goto("/")
        ada.page.get_by_role("link", name="Unknown outcomes").click()
        assert ada.page.get_by_text("A person has to say what happened").is_visible()
        assert ada.axe() == []

        ada.page.get_by_role("link", name="PAY-1").first.click()
        ada.page.get_by_label("It did not happen").check()
        ada.page.get_by_label("How do you know?").select_option("in_their_books")
        ada.page.get_by_label("Evidence").fill("no such entry on the statement")
        ada.page.get_by_role("button", name="Record what I found").click()
        ada.page.get_by_text("Choose how you know it. For this answer").first.wait_for()
        ada.problems.clear()  # the browser itself logs a 422 as a failed load
        assert ada.axe() == []
        assert ada.page.get_by_label("Evidence").input_value() == "no such entry on the statement"

        ada.page.get_by_label("How do you know?").select_option("not_in_their_books")
        ada.page.get_by_role("button", name="Record what I found").click()
        ada.page.locator("#messages").get_by_text("Your answer is recorded.").wait_for()
        ada.page.goto("/unknown-outcomes/")
        assert ada.page.get_by_text("Nothing is in doubt").is_visible()


@pytest.mark.slow
class TestUndo:
    @pytest.fixture
    def execution(self, people, unit, tmp_path):
        worlds.publish(tmp_path / "workflow", WORKFLOW, worlds.HANDLERS, tools=TOOLS)
        started = executions.start(workflow="outside", input={}, unit="finance", by=make.actor(people))
        worlds.work()
        return Execution.objects.get(pk=started.pk)

    def test_says_what_it_would_do_does_it_and_shows_how_far_it_is(self, opened, people, execution):
        ada = opened("ada")
        ada.page.goto(execution.get_absolute_url())
        ada.page.get_by_role("link", name="Undo…").click()
        assert ada.page.get_by_text("2 of 3 effects can be taken back").is_visible()
        assert ada.axe() == []

        ada.page.get_by_label("Reason").fill("The statement was the wrong one")
        ada.page.get_by_role("button", name="Undo what is chosen").click()
        ada.page.locator("#messages").get_by_text("The undo has started.").wait_for()
        assert ada.axe() == []
        worlds.work()
        ada.page.goto(execution.get_absolute_url())
        assert ada.page.get_by_text("0 of 3 effects undone").is_visible()
        assert ada.axe() == []

        grace = make.actor(make.person("grace"))
        for _ in range(2):
            approve(ApprovalRequest.objects.get(status="pending"), grace)
            worlds.work()
        ada.page.get_by_text("Partly compensated").wait_for(timeout=20_000)
        ada.page.goto("/rollbacks/")
        assert ada.page.get_by_text("100.00 %").is_visible()
        assert ada.axe() == []
