"""A critical step goes on without its model: a deterministic stand-in, offline, and marked as such everywhere."""

import json

import pytest
from django.contrib.auth import get_user_model

from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.operations import dead_letters
from orchestrator.queries.trace_parts import parts_of
from orchestrator.workflows.errors import WorkflowErrors
from tests import trail
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import asked, attempts, drive, statuses, step
from tests.pages.asking import browser_of

HANDLERS = (
    providers.HANDLERS
    + """
import socket


def asks_a_model(input, context):
    return context.http_json("POST", os.environ["ERP_URL"] + "/effects", {"ref": "prompt"}, timeout=1)


def standard(input, context):
    return {"ref": "standard reply"}


def reaches_out(input, context):
    try:
        context.http_json("GET", URL + "/record?ref=R-1", timeout=1)
    except Exception as error:
        return {"ref": f"refused: {error}"[:100]}
    return {"ref": "reached"}


def opens_a_socket(input, context):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        return {"ref": f"refused: {type(error).__name__}"}
    return {"ref": "opened"}


def calls_a_tool(input, context):
    return context.call("fetch", {"ref": "R-1"})


def pays_and_falls(input, context):
    sent = context.call("send_a", {"ref": "by-agent"})
    context.http_json("GET", URL + "/record?ref=R-1", timeout=5)
    return sent


def pays(input, context):
    return context.call("send_a", {"ref": "by-stand-in"})
"""
)
AGENTS = [
    {"name": name, "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": f"handlers:{name}"}
    for name in (
        "asks_a_model", "standard", "reaches_out", "opens_a_socket", "calls_a_tool", "pays_and_falls", "pays",
    )
]  # fmt: skip
STEPS = """
  - draft: {agent: asks_a_model, on_error: plain, retry: {max_attempts: 2, backoff: 1s}}
  - plain: {agent: %s, offline: true}
  - send: {tool: send_a, needs: [draft], ref: "${steps.draft.ref}"}
"""


@pytest.fixture
def ended(world, governed, provider):
    """The execution, after the model's endpoint answered 503 to every attempt."""

    def run(stand_in="standard", *, down=2):
        governed(STEPS % stand_in, HANDLERS, agents=AGENTS)
        provider.plan(*["down"] * down)
        execution = make.start(world, "outside")
        drive(execution)
        return execution

    return run


class TestAModelThatIsDown:
    def test_is_replaced_by_the_stand_in_and_the_work_goes_on_with_its_result(self, ended, provider):
        execution = ended()

        assert execution.status == "succeeded"
        assert attempts(execution, "draft") == [("failed", "system")] * 2
        assert step(execution, "plain").output == {"ref": "standard reply"}
        assert provider.effects == ["standard reply"]

    def test_is_told_in_the_trail_the_trace_and_on_the_page(self, ended, world):
        execution = ended()

        assert trail.story(execution.pk).count("alert.fallback") == 1
        (part,) = [part for part in parts_of(execution.trace_id, [execution.pk]) if part.name == "plain"]
        assert part.note == "stands in for draft"
        as_ada = browser_of(get_user_model().objects.get(username="ada"))
        page = as_ada.get(execution.get_absolute_url()).content.decode()
        assert "stands in for draft" in page
        assert "without model and network" in page
        judge_all()
        assert "Fallback" in as_ada.get("/").content.decode()

    def test_that_is_up_again_is_not_replaced(self, ended, provider):
        execution = ended(down=1)

        assert statuses(execution)["plain"] == "skipped"
        assert provider.effects == ["prompt", "prompt"]
        assert "alert.fallback" not in trail.story(execution.pk)


class TestAnOfflineStep:
    @pytest.mark.parametrize("stand_in", ["reaches_out", "opens_a_socket"])
    def test_reaches_nobody(self, ended, stand_in):
        execution = ended(stand_in)

        assert step(execution, "plain").output["ref"].startswith("refused")

    def test_calls_no_tool(self, ended, provider):
        execution = ended("calls_a_tool")

        assert statuses(execution)["plain"] == "business_error"
        assert "is offline: it calls no tool" in step(execution, "plain").why
        assert provider.reads == 0

    def test_is_an_agents_step(self, governed):
        with pytest.raises(WorkflowErrors, match="offline"):
            governed("  - send: {tool: send_a, ref: R-1, offline: true}\n")


class TestAStepThatActedBeforeItFailed:
    """With what would stand in for it the work could be done twice."""

    @pytest.fixture
    def failed(self, world, governed, provider):
        def run(steps, *deeds):
            governed(steps, HANDLERS, agents=AGENTS)
            provider.plan(*deeds)
            execution = make.start(world, "outside")
            drive(execution)
            return execution

        return run

    def test_is_stood_in_for_by_nothing_that_could_act(self, failed, provider):
        execution = failed(
            """
  - pay: {tool: send_a, ref: by-wire, non_empty: [ref], on_error: pay2}
  - pay2: {tool: send_b, ref: by-cheque, on_error: pay3}
  - pay3: {tool: send_c, ref: in-cash}
  - book: {tool: send_a, ref: booked, needs: [pay]}
""",
            "empty",
        )

        assert provider.effects == ["by-wire"]
        assert statuses(execution) == {"pay": "dead_letter", "pay2": "skipped", "pay3": "skipped", "book": "pending"}
        assert "pay took effect before it failed" in step(execution, "pay2").why
        assert (execution.status, execution.dead_letters.get().status) == ("dead_lettered", "open")

    def test_goes_on_from_there_when_it_is_redriven(self, world, failed, provider):
        execution = failed(
            "  - pay: {agent: pays_and_falls, retry: {max_attempts: 1}, on_error: pay2}\n  - pay2: {agent: pays}\n",
            "ok",
            "down",
        )
        assert (execution.status, provider.effects) == ("dead_lettered", ["by-agent"])

        dead_letters.requeue(letter_id=execution.dead_letters.get().pk, by=world.ada)
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["by-agent"])
        assert step(execution, "pay").output == {"ref": "by-agent"}

    def test_is_stood_in_for_by_what_can_do_nothing(self, failed, provider):
        execution = failed(
            """
  - pay: {agent: pays_and_falls, retry: {max_attempts: 1}, on_error: plain}
  - plain: {agent: standard, offline: true, on_error: pay2}
  - pay2: {agent: pays}
""",
            "ok",
            "down",
        )

        assert (execution.status, provider.effects) == ("succeeded", ["by-agent"])
        assert statuses(execution) == {"pay": "dead_letter", "plain": "success", "pay2": "skipped"}

    def test_says_so_to_the_person_who_does_the_rest_by_hand(self, failed):
        execution = failed(
            "  - pay: {agent: pays_and_falls, retry: {max_attempts: 1}, on_error: route_to_human}\n", "ok", "down"
        )

        request = asked(execution)
        assert request.reasons[0] == "Before it failed, send_a took effect. Do not do that again: do what is left."
        assert json.loads(request.snapshot)["arguments"]["took_effect"] == [
            {"tool": "send_a", "with": {"ref": "by-agent"}, "gave": {"ref": "by-agent"}}
        ]
