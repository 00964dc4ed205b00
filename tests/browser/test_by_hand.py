"""A step done by hand in a real browser: by keyboard, on a phone, and with the one thing forgotten that follows need."""

import pytest

from approvals.models import ApprovalRequest
from orchestrator.models import Step
from tests.routed import routed


@pytest.fixture
def request_by_hand(unit, people):
    return routed()


class TestDoneByHand:
    def test_by_keyboard_alone(self, request_by_hand, opened):
        person = opened("grace")
        page = person.page
        page.goto(request_by_hand.get_absolute_url())
        assert person.axe() == []

        page.keyboard.press("a")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "decision_result_0"
        page.keyboard.type("ret")
        page.keyboard.press("Tab")
        page.keyboard.type("0.8")
        page.keyboard.press("Tab")
        page.keyboard.type("yes")
        page.keyboard.press("Tab")
        page.keyboard.type("order 5540")
        page.focus("#decision_reason_code")
        page.keyboard.type("Evidence")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=You gave the result")

        output = Step.objects.get(pk=request_by_hand.subject_id).output
        assert output == {"intent": "return", "confidence": 0.8, "urgent": True, "subject": "order 5540"}

    @pytest.mark.slow
    def test_what_is_missing_is_said_at_its_field_and_nothing_typed_is_lost(self, request_by_hand, opened):
        person = opened("grace", viewport={"width": 390, "height": 844})
        page = person.page
        page.goto(request_by_hand.get_absolute_url())
        page.check("#decision_verdict_answer")
        page.fill("#decision_result_1", "0.8")
        page.select_option("#decision_reason_code", "evidence_checked")

        page.click("text=Record decision")
        page.wait_for_selector("#by-hand .fault")

        assert page.input_value("#decision_result_1") == "0.8"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert person.axe() == []
        assert ApprovalRequest.objects.get(pk=request_by_hand.pk).status == "pending"
        assert all("422" in problem for problem in person.problems)
        person.problems.clear()
