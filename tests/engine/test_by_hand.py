"""A step routed to a person is done by hand: its result is judged like the handler's own, and what follows works with it."""

import json
from dataclasses import replace

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from approvals.models import Decision
from approvals.operations import NeedsResult
from audit.canonical import canonical, digest_text
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Refusal, Stale
from orchestrator.operations.by_hand import NotByHand, hand_in
from tests import signing
from tests import worlds as make
from tests.engine.driving import approve, asked, drive, reject, statuses, step
from tests.pages.asking import browser_of

HANDLERS = """
def work(input, context):
    if "given" in input:
        return {"seen": input["given"]}
    raise context.BusinessError("cannot be read")
"""
AGENTS = [
    {"name": "reader", "owner": "olga", "unit": "finance", "allowed_tools": [], "entry": "handlers:work",
     "input_schema": {"type": "object", "properties": {"case": {}}},
     "output_schema": {"type": "object", "required": ["intent"], "additionalProperties": False, "properties": {
         "intent": {"type": "string", "minLength": 1}, "score": {"type": "number"}, "lines": {"type": "array"}}}},
    {"name": "teller", "owner": "olga", "unit": "finance", "allowed_tools": [], "entry": "handlers:work",
     "input_schema": {"type": "object", "properties": {"given": {}}}},
]  # fmt: skip
STEPS = """
  - read: {agent: reader, on_error: route_to_human%s}
  - tell: {agent: teller, with: {given: "${intent}"}}
"""


@pytest.fixture
def routed(world, publish):
    """An execution whose first step failed and waits for a person."""

    def routed(more=""):
        publish(f"workflow: reading\nversion: 1.0.0\nsteps:{STEPS % more}", HANDLERS, agents=AGENTS)
        execution = make.start(world, "reading", case="C-1")
        drive(execution)
        return execution

    return routed


def give(request, by, result):
    return hand_in(request_id=request.pk, by=by, voice=signing.voice(request, by=by), result=result)


class TestTheUndo:
    def test_says_which_step_a_person_did_and_that_it_knows_no_more(self, world, routed):
        execution = routed()
        give(asked(execution), world.grace, {"intent": "refund"})
        drive(execution)

        page = browser_of(get_user_model().objects.get(username="ada")).get(
            reverse("execution_undos", args=[execution.pk])
        )

        assert "grace did the step read by hand" in page.content.decode()


class TestTheResult:
    def test_is_the_steps_output_and_what_follows_works_with_it(self, world, routed):
        execution = routed()

        give(asked(execution), world.grace, {"intent": "refund"})
        drive(execution)

        assert execution.status == "succeeded"
        assert step(execution, "read").output == {"intent": "refund"}
        assert step(execution, "tell").output == {"seen": "refund"}

    def test_is_recorded_as_theirs(self, world, routed):
        execution = routed()
        request = asked(execution)

        give(request, world.grace, {"intent": "refund"})

        request.refresh_from_db()
        assert request.status == "answered"
        assert [(one.person_name, one.verdict) for one in Decision.objects.all()] == [("grace", "answer")]
        assert Decision.objects.get().result == {"intent": "refund"}
        told = AuditEvent.objects.get(event="approval_request.signed_answer", actor_name="grace").data
        assert digest_text(canonical({"intent": "refund"})) in told
        assert "refund" not in told
        assert "answered by grace" in step(execution, "read").why

    def test_given_twice_counts_once_and_another_one_is_refused(self, world, routed):
        request = asked(routed())
        give(request, world.grace, {"intent": "refund"})

        give(request, world.grace, {"intent": "refund"})
        with pytest.raises(Stale, match="already decided"):
            give(request, world.linus, {"intent": "return"})

        assert Decision.objects.count() == 1

    @pytest.mark.parametrize(
        ("result", "pointer", "says"),
        [
            ({}, "/result", "'intent' is a required property"),
            ({"intent": ""}, "/result/intent", "has to be 1 or more characters long"),
            ({"intent": "refund", "score": "high"}, "/result/score", "has to be a number"),
            ({"intent": "refund", "also": 1}, "/result", "may hold nothing but intent, lines, score"),
        ],
    )
    def test_is_refused_where_the_step_promises_another(self, world, routed, result, pointer, says):
        execution = routed()

        with pytest.raises(Invalid) as refused:
            give(asked(execution), world.grace, result)

        assert (refused.value.errors[0][0], refused.value.errors[0][2]) == (pointer, says)
        assert statuses(execution)["read"] == "awaiting_approval"
        assert step(execution, "read").output is None

    def test_may_not_be_empty_where_the_workflow_promises_some(self, world, routed):
        request = asked(routed(", non_empty: [lines]"))
        assert request.result_schema["required"] == ["intent", "lines"]

        with pytest.raises(Invalid) as refused:
            give(request, world.grace, {"intent": "refund", "lines": []})

        assert refused.value.errors == [("/result/lines", "schema", "may not be empty")]

    def test_reaches_the_score_that_the_step_asks_for(self, world, routed):
        request = asked(routed(", min_score: 0.9"))

        with pytest.raises(Invalid, match=r"below the 0\.9 asked for"):
            give(request, world.grace, {"intent": "refund", "score": 0.5})
        give(request, world.grace, {"intent": "refund", "score": 0.9})


class TestWhoAndWhat:
    def test_a_bare_yes_is_no_answer(self, world, routed):
        execution = routed()

        with pytest.raises(NeedsResult):
            approve(asked(execution), world.grace)

        assert statuses(execution)["read"] == "awaiting_approval"

    def test_nobody_rejecting_is_asked_for_a_result(self, world, routed):
        execution = routed()

        reject(asked(execution), world.grace)
        drive(execution)

        assert execution.status == "failed"

    def test_a_stranger_finds_nothing(self, world, routed):
        with pytest.raises(NotVisible):
            give(asked(routed()), world.eve, {"intent": "refund"})

    def test_whoever_asked_gives_no_result(self, world, routed):
        request = asked(routed())

        with pytest.raises(Forbidden, match="You need the reviewer role"):
            give(request, world.ada, {"intent": "refund"})

    def test_a_call_is_not_done_by_hand(self, world):
        request = make.request(world)

        with pytest.raises(NotByHand):
            give(request, world.grace, {})


class TestWhatFollows:
    """What rests on a result that a person gave is decided by somebody else, who is told of it."""

    SIGNED = """
  - read: {agent: reader, on_error: route_to_human}
  - look: {human_if: ["size(intent) > 0"]}
  - tell: {agent: teller, with: {given: "${intent}"}}
"""

    @pytest.fixture
    def given(self, world, publish):
        publish(f"workflow: reading\nversion: 1.0.0\nsteps:{self.SIGNED}", HANDLERS, agents=AGENTS)
        execution = make.start(world, "reading", case="C-1")
        drive(execution)
        first = asked(execution)
        voice = replace(signing.voice(first, by=world.grace), note="They threaten to sue")
        hand_in(request_id=first.pk, by=world.grace, voice=voice, result={"intent": "refund"})
        drive(execution)
        return execution, first

    def test_is_shown_to_whoever_does_the_step_with_who_is_asked(self, given):
        facts = json.loads(given[1].snapshot)["arguments"]
        assert facts["comes_next"] == [
            {"step": "look", "does": "asks people, if size(intent) > 0"},
            {"step": "tell", "does": "teller"},
        ]

    def test_says_who_did_which_step_and_what_they_noted(self, given):
        facts = json.loads(asked(given[0]).snapshot)["arguments"]
        assert facts["by_hand"] == [{"step": "read", "by": "grace", "note": "They threaten to sue"}]

    def test_is_not_signed_by_them(self, world, given):
        request = asked(given[0])
        assert request.duties[world.grace.key] == "did the step read by hand"

        with pytest.raises(Refusal, match="did the step read by hand"):
            approve(request, world.grace)
        approve(request, world.linus)
        drive(given[0])
        assert given[0].status == "succeeded"
