"""What stands beside an act that waits for people: what its execution knows about it, what went out before, what comes next."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from audit.canonical import digest_text
from audit.refusals import Invalid
from orchestrator.models import Action
from tests import worlds as make
from tests.engine.driving import drive
from tests.reading_back import rows_in, snapshot_on
from tests.signing import voice

HEAD = "input: {type: object, required: [rows], properties: {rows: {type: array, items: {type: object}}}}\n"
ROWS = [{"ref": "R-1001", "amount": "12.00"}, {"ref": "R-1002", "amount": "2750.00"}]
UNSAFE = "  - send: {tool: unsafe, ref: R-1002}\n"


def waiting(world, governed, steps, rows=ROWS, head=HEAD):
    governed(steps, head=head)
    execution = make.start(world, "outside", rows=rows)
    drive(execution)
    return ApprovalRequest.objects.get(execution_id=execution.pk, status="pending")


def page_of(world, request):
    """As somebody reads it who may decide on it."""
    browser = Client()
    browser.force_login(get_user_model().objects.get(pk=world.grace.user_id))
    return browser.get(request.get_absolute_url()).content.decode()


class TestAnAct:
    def test_has_beside_it_what_the_execution_was_given_about_the_same_thing(self, world, governed, provider):
        request = waiting(world, governed, UNSAFE)

        assert request.found == [{"label": "rows / 2", "source": "what it was started with", "value": ROWS[1]}]
        evidence = page_of(world, request).split('id="evidence"')[1].split("</table>")[0]
        assert "2750.00" in evidence
        assert "what it was started with" in evidence
        assert "12.00" not in evidence

    def test_has_beside_it_what_an_earlier_step_gave(self, world, governed, provider):
        provider.record = {"accounts": [{"of": "R-1002", "balance": "7.00"}]}
        request = waiting(world, governed, "  - first: {tool: fetch, ref: R-1}\n" + UNSAFE, rows=[])

        assert [(one["label"], one["source"]) for one in request.found] == [("accounts / 1", "what first gave")]

    def test_warns_when_the_same_went_out_before(self, world, governed, provider):
        first = waiting(world, governed, UNSAFE)
        approvals.approve(request_id=first.pk, by=world.grace, voice=voice(first, by=world.grace))
        drive()
        sent = Action.objects.get(pk=first.subject_id)
        assert sent.status == "succeeded"

        drive(make.start(world, "outside", rows=[]))
        request = ApprovalRequest.objects.get(status="pending")

        assert [one["action"] for one in request.found] == [str(sent.pk)]
        page = page_of(world, request)
        assert "Perhaps it is done already" in page
        assert reverse("action", args=[sent.pk]) in page

    def test_is_not_said_to_have_gone_out_before_when_it_has_not(self, world, governed, provider):
        assert "Perhaps it is done already" not in page_of(world, waiting(world, governed, UNSAFE))


class TestAStepThatAsks:
    STEPS = '  - ask: {human_if: ["size(rows) > 1"]}\n  - send: {tool: unsafe, ref: R-1002, needs: [ask]}\n'

    def test_says_what_comes_next_and_with_what(self, world, governed, provider):
        request = waiting(world, governed, self.STEPS)

        assert request.title == "Let outside go on to send (unsafe)"
        shown = json.loads(request.snapshot)["arguments"]
        assert shown["comes_next"] == [{"step": "send", "does": "unsafe", "with": {"ref": "R-1002"}}]
        assert "Approving lets the execution go on to send (unsafe)." in request.reversible

    def test_says_of_what_may_stand_in_that_it_comes_only_then(self, world, governed, provider):
        steps = """
  - ask: {required: 1}
  - send: {tool: send_a, ref: R-1, on_error: other}
  - other: {tool: send_b, ref: R-2}
"""
        request = waiting(world, governed, steps)

        assert request.title == "Let outside go on to send (send_a) and if send fails, other (send_b)"
        assert json.loads(request.snapshot)["arguments"]["comes_next"][1] == {
            "step": "other", "does": "send_b", "only_if_fails": "send", "with": {"ref": "R-2"},
        }  # fmt: skip

    def test_that_stands_in_for_another_says_what_failed_and_what_waited_for_that(self, world, governed, provider):
        provider.plan("refuse")
        steps = """
  - send: {tool: send_a, ref: R-1, on_error: ask}
  - ask: {required: 1}
  - after: {tool: unsafe, ref: R-1002, needs: [send]}
"""
        request = waiting(world, governed, steps)

        assert request.title == "Let outside go on to after (unsafe)"
        assert json.loads(request.snapshot)["arguments"]["comes_next"][0]["with"] == {"ref": "R-1002"}
        assert request.reasons[0].startswith("send failed for good, and approving stands in for it: ")
        assert "send failed for good, and approving stands in for it" in page_of(world, request)

    def test_that_stands_in_for_another_is_asked_though_none_of_its_conditions_holds(self, world, governed, provider):
        provider.plan("refuse")
        steps = """
  - send: {tool: send_a, ref: R-1, on_error: ask}
  - ask: {human_if: ["size(input.rows) > 1000"]}
  - after: {tool: unsafe, ref: R-1002, needs: [send]}
"""
        request = waiting(world, governed, steps)

        assert [reason.split(":")[0] for reason in request.reasons] == [
            "send failed for good, and approving stands in for it",
            "The workflow asks a person here.",
        ]

    def test_to_be_taken_over_in_the_place_of_another_shows_what_waited_for_that(self, world, governed, provider):
        provider.plan("refuse", "refuse")
        steps = """
  - send: {tool: send_a, ref: R-1, on_error: other}
  - other: {tool: send_b, ref: R-2, on_error: route_to_human}
  - after: {tool: unsafe, ref: R-1002, needs: [send]}
"""
        request = waiting(world, governed, steps)

        assert json.loads(request.snapshot)["arguments"]["comes_next"] == [{"step": "after", "does": "unsafe"}]

    def test_shows_every_value_once_those_it_asks_about_first(self, world, governed, provider):
        shown = json.loads(waiting(world, governed, self.STEPS).snapshot)["arguments"]

        assert list(shown) == ["because", "comes_next", "input", "steps"]
        assert shown["because"] == {"rows": ROWS}
        assert shown["input"] == {"rows": ROWS}

    def test_to_be_taken_over_shows_what_it_was_to_work_on(self, world, governed, provider):
        provider.plan("refuse")
        request = waiting(world, governed, "  - send: {tool: send_a, ref: R-1002, on_error: route_to_human}\n")

        assert request.title == "Take over “send” of outside"
        assert json.loads(request.snapshot)["arguments"]["input"] in ({"ref": "R-1002"}, {"rows": ROWS})
        assert "the execution goes on with it at once" in page_of(world, request)

    LED_TO = "  - first: {tool: fetch, ref: R-1}\n" + STEPS

    def test_leads_with_what_decides_it_and_folds_what_only_led_there(self, world, governed, provider):
        provider.record = {"balance": "7.00"}
        request = waiting(world, governed, self.LED_TO)

        page = page_of(world, request)
        act = page.split('id="act"')[1].split("</section>")[0]
        headings = ["What the conditions looked at", "What comes next", "What it was started with", "What first gave"]
        assert sorted(headings, key=act.index) == headings
        assert "“size(rows) &gt; 1” holds" in act.split("What the conditions looked at")[0]
        fold = act.split('id="fold-what-first-gave"')[1].split("</details>")[0]
        assert fold.startswith("><summary>What first gave")
        assert "2 values: balance 7.00, ref R-1" in fold.split("</summary>")[0]
        assert "7.00" in fold.split("</summary>")[1]

    def test_is_on_its_page_to_the_last_byte_folds_included(self, world, governed, provider):
        provider.record = {"balance": "7.00"}
        request = waiting(world, governed, self.LED_TO)

        assert digest_text(snapshot_on(rows_in(page_of(world, request)))) == request.digest

    def test_asks_the_questions_of_its_workflow_and_takes_no_bare_yes(self, world, governed, provider):
        check = "Does the amount agree with the bank?"
        request = waiting(world, governed, self.STEPS.replace("human_if", f"checks: ['{check}'], human_if"))

        assert request.checks == [check]
        assert check in page_of(world, request)
        with pytest.raises(Invalid, match="before you approve"):
            approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace, answers={}))
        given = voice(request, by=world.grace, answers={check: True})
        approvals.approve(request_id=request.pk, by=world.grace, voice=given)
        assert request.decisions.get().answers == {check: True}

    def test_of_two_people_is_closed_to_neither(self, world, governed, provider):
        provider.record = {"balance": "7.00"}
        request = waiting(world, governed, self.LED_TO.replace("human_if", "required: 2, human_if"))

        fold = page_of(world, request).split('id="fold-what-first-gave"')[1].split(">")[0]
        assert fold == " open"

    def test_is_called_what_the_workflows_author_says(self, world, governed, provider):
        ask = "Pay ${string(rows[0].amount)} and ${size(rows)} more  lines?"
        request = waiting(world, governed, self.STEPS.replace("human_if", f"ask: '{ask}', human_if"))
        assert request.title == "Pay 12.00 and 2 more lines?"

    def test_falls_back_to_its_own_words_where_a_value_is_missing(self, world, governed, provider):
        ask = "Pay ${string(rows[7].amount)}?"
        request = waiting(world, governed, self.STEPS.replace("human_if", f"ask: '{ask}', human_if"))
        assert request.title == "Let outside go on to send (unsafe)"

    def test_to_be_taken_over_says_what_its_execution_is_about(self, world, governed, provider):
        provider.plan("refuse")
        by_hand = "  - send: {tool: send_a, ref: R-1002, on_error: route_to_human}\n"
        request = waiting(world, governed, by_hand, head='about: "${size(rows)} rows"\n' + HEAD)
        assert request.title == "Take over “send” of outside for 2 rows"

    def test_says_that_it_is_the_end_when_nothing_follows(self, world, governed, provider):
        request = waiting(world, governed, '  - ask: {human_if: ["true"]}\n')
        assert request.title == "Let outside go on to its end"
