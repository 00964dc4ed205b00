"""A step to be done by hand, on its page: a field for each part of the result, and no bare yes anywhere."""

import pytest
from django.urls import reverse

from approvals.models import ApprovalRequest, Decision
from orchestrator.models import Step
from tests import make
from tests.pages.asking import PART
from tests.pages.test_review import answer
from tests.routed import routed

GIVEN = {"result_0": "refund", "result_1": "0.9", "result_2": "yes", "result_3": "", "result_4": "[1, 2]"}


def hand_in(browser, request, verdict="answer", **more):
    return browser.post(
        reverse("approval_by_hand", args=[request.pk]), answer(request, verdict, **{**GIVEN, **more}), headers=PART
    )


def faults(reply):
    assert reply.status_code == 422
    return {name: list(errors) for name, errors in reply.context["form"].errors.items()}


def nothing_happened(request):
    return not Decision.objects.exists() and ApprovalRequest.objects.get(pk=request.pk).status == "pending"


class TestThePage:
    def test_asks_for_each_part_of_the_result_and_offers_no_approving(self, unit, as_grace):
        page = as_grace.get(routed().get_absolute_url()).content.decode()

        assert all(f">{name}<" in page or f">{name}" in page for name in ("intent", "confidence", "urgent", "subject"))
        assert "What the customer wants." in page
        assert 'value="approve"' not in page
        assert "If you do it by hand" in page
        assert "If you approve" not in page

    def test_says_what_failed_and_what_the_step_was_to_work_on(self, unit, as_grace):
        page = as_grace.get(routed().get_absolute_url()).content.decode()

        assert "no rule recognises what the customer wants" in page
        assert "C-1" in page

    def test_of_a_step_that_promises_nothing_takes_any_object(self, unit, as_grace):
        request = routed({})

        assert hand_in(as_grace, request, result='{"posting": "P-9"}').status_code == 200

        assert Step.objects.get(pk=request.subject_id).output == {"posting": "P-9"}

    def test_stands_on_the_page_afterwards_as_it_was_given(self, unit, as_grace):
        request = routed({})

        given = hand_in(as_grace, request, result='{"posting": "<b>P-9</b>"}').content.decode()

        for page in (given, as_grace.get(request.get_absolute_url()).content.decode()):
            assert "The result they gave" in page
            assert "&lt;b&gt;P-9&lt;/b&gt;" in page
            assert "<b>P-9" not in page

    def test_of_a_step_that_promises_nothing_takes_none_as_well(self, unit, as_grace):
        request = routed({})

        assert hand_in(as_grace, request, result="{}").status_code == 200

        assert Step.objects.get(pk=request.subject_id).output == {}


class TestTheResult:
    def test_is_stored_in_the_types_of_the_schema_and_the_page_says_so(self, unit, as_grace):
        request = routed()

        reply = hand_in(as_grace, request)

        assert "You gave the result" in reply.content.decode()
        assert Step.objects.get(pk=request.subject_id).output == {
            "intent": "refund", "confidence": 0.9, "urgent": True, "subject": "", "lines": [1, 2],
        }  # fmt: skip

    def test_without_script_leads_back_to_the_page(self, unit, as_grace):
        request = routed()

        reply = as_grace.post(reverse("approval_by_hand", args=[request.pk]), answer(request, "answer", **GIVEN))

        assert (reply.status_code, reply.url) == (302, request.get_absolute_url())

    def test_left_out_where_it_may_be(self, unit, as_grace):
        request = routed()

        hand_in(as_grace, request, result_4="")

        assert "lines" not in Step.objects.get(pk=request.subject_id).output

    @pytest.mark.parametrize(
        ("field", "typed", "says"),
        [
            ("result_0", "", "Needed: what follows works with it"),
            ("result_0", "gift", "Select a valid choice"),
            ("result_1", "0,9", "Write a number as in 4860.5"),
            ("result_1", "7", "has to be at most 1"),
            ("result_2", "", "Needed: what follows works with it"),
            ("result_4", "[1,", "Not JSON"),
            ("result_4", '["x"]', "has to be a whole number"),
        ],
    )
    def test_is_refused_beside_its_field_and_what_was_typed_stays(self, unit, as_grace, field, typed, says):
        request = routed()

        reply = hand_in(as_grace, request, **{field: typed, "note": "read on the phone"})

        assert says in faults(reply)[field][0]
        assert reply.context["form"].data["note"] == "read on the phone"
        assert nothing_happened(request)

    def test_is_not_asked_of_whoever_rejects(self, unit, as_grace):
        request = routed()

        hand_in(as_grace, request, "reject", result_0="", result_1="half typed")

        assert ApprovalRequest.objects.get(pk=request.pk).status == "rejected"


class TestTheDoors:
    def test_approving_through_the_ordinary_door_is_refused(self, unit, as_grace):
        request = routed()

        reply = as_grace.post(
            reverse("approval_decisions", args=[request.pk]), answer(request, "approve", **GIVEN), headers=PART
        )

        assert reply.status_code == 422
        assert nothing_happened(request)

    def test_reading_changes_nothing(self, unit, as_grace):
        assert as_grace.get(reverse("approval_by_hand", args=[routed().pk])).status_code == 405

    def test_a_stranger_finds_no_page(self, unit, as_eve):
        assert hand_in(as_eve, routed()).status_code == 404

    def test_an_ordinary_request_is_not_done_by_hand(self, unit, as_grace):
        request = make.request()
        reply = as_grace.post(reverse("approval_by_hand", args=[request.pk]), answer(request, "approve"), headers=PART)

        assert reply.status_code == 409
        assert nothing_happened(request)
