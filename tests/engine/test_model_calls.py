"""Every model call is a part of its trace: who asked, which release, prompt, settings, corpus, over which bytes, how it ended."""

import json
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from opentelemetry.sdk.resources import Resource

from audit.canonical import digest_text
from audit.lifecycle import database_now
from budgets.models import LedgerEntry
from orchestrator.queries.trace_details import detail_of
from orchestrator.queries.traces import trace
from orchestrator.telemetry.ended import closed, ended
from orchestrator.telemetry.outgoing import Wanted, span_of
from tests import worlds as make
from tests.api.conftest import signed_in
from tests.engine.driving import attempts, drive

PROMPT = "Sort the mail of {customer}."
HANDLERS = """
def work(input, context):
    for line in input["usage"]:
        context.usage(**line)
    for _ in range(input.get("times", 0)):
        context.usage(model="m" * 100, provider="p" * 100, input_tokens=1, request="Hello", prompt="prompts/sort.txt")
    return {}
"""
ANY = {"type": "object", "properties": {"usage": {}, "times": {}}}
CLERK = [
    {
        "name": "clerk",
        "owner": "olga",
        "unit": "finance",
        "allowed_tools": ["*"],
        "entry": "handlers:work",
        "input_schema": ANY,
    }
]
CALL = {
    "model": "gpt-4.1", "provider": "openai", "input_tokens": 60, "prompt": "prompts/sort.txt", "corpus": "mail 2026-11",
    "settings": {"temperature": 0.2, "reasoning_effort": "low"}, "request": [{"role": "user", "content": "Hello Ada"}],
}  # fmt: skip


@pytest.fixture
def called(world, publish, tmp_path):
    """An agent's step that made these model calls."""
    prompts = tmp_path / "workflow" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "sort.txt").write_text(PROMPT)
    publish("workflow: sorting\nversion: 1.0.0\nsteps:\n  - run: {agent: clerk}\n", HANDLERS, agents=CLERK)

    def called(*calls, **more):
        execution = make.start(world, "sorting", usage=list(calls), **more)
        drive(execution)
        return execution

    return called


def line():
    return LedgerEntry.objects.get(kind="model")


def node_of(world, execution):
    found = trace(world.ada, execution.trace_id, now=database_now())
    return next(node for node in found.root.walk() if node.part.kind == "model")


def sent(content=False):
    until, _ = closed()
    first = ended(0, line().pk.__class__(int=0), until, 1_000)
    part = next(one for one in first if one.noun == "model")
    return span_of(part, Resource({}), Wanted(content=content))


class TestACall:
    def test_stands_in_the_trace_with_all_that_led_to_it(self, world, called):
        execution = called(CALL)

        facts = dict(detail_of(node_of(world, execution)).facts)
        assert facts["Asked by"] == execution.requester_name
        assert facts["Release"].endswith(execution.release.digest)
        assert facts["Prompt"] == f"prompts/sort.txt {digest_text(PROMPT)}"
        assert facts["Settings"] == "temperature 0.2, reasoning_effort low"
        assert (facts["Corpus"], facts["Outcome"]) == ("mail 2026-11", "ok")

    def test_keeps_of_its_request_the_digest_alone(self, called):
        called(CALL)

        assert line().call["request"] == digest_text('[{"content":"Hello Ada","role":"user"}]')
        assert "Hello" not in json.dumps(list(LedgerEntry.objects.values("call", "why", "rates")))

    @pytest.mark.parametrize("name", ["prompts/none.txt", "../../../etc/hostname", "/etc/hostname", "prompts"])
    def test_names_no_version_of_what_the_release_does_not_hold(self, world, called, name):
        execution = called(CALL | {"prompt": name})

        assert "prompt_digest" not in line().call
        assert dict(detail_of(node_of(world, execution)).facts)["Prompt"] == f"{name} no file of the release"

    @pytest.mark.parametrize(("outcome", "state"), [("refused", "refused"), ("error", "error"), ("ok", "ok")])
    def test_ends_as_its_handler_said(self, world, called, outcome, state):
        execution = called(CALL | {"outcome": outcome})

        assert node_of(world, execution).part.state == state
        assert sent().status.is_ok is (outcome != "error")

    @pytest.mark.parametrize("wrong", [{"outcome": "great"}, {"settings": {"stop": "x" * 700}}, {"settings": "cold"}])
    def test_told_of_in_other_words_is_the_handlers_bug(self, called, wrong):
        execution = called(CALL | wrong)

        assert attempts(execution, "run")[0] == ("failed", "bug")
        assert not LedgerEntry.objects.exists()

    @pytest.mark.parametrize("currency", ["", "euro", "eur"])
    def test_with_a_cost_in_no_currency_is_said_to_its_author(self, called, currency):
        execution = called(CALL | {"cost": "0.02", "currency": currency})

        assert attempts(execution, "run") == [("failed", "bug")]
        assert "A cost needs its currency" in execution.dead_letters.get().message

    @pytest.mark.parametrize("cost", [1 / 30_000, "0.0000333333333333333333"])
    def test_may_cost_as_many_places_as_a_quotient_of_floats_has(self, called, cost):
        execution = called(CALL | {"cost": cost, "currency": "EUR"})

        assert execution.status == "succeeded"
        assert line().amount == Decimal("0.0000333333")

    @pytest.mark.parametrize("cost", ["NaN", "-0.02", "Infinity"])
    def test_with_a_cost_that_is_no_amount_is_said_to_its_author(self, called, cost):
        execution = called(CALL | {"cost": cost, "currency": "EUR"})

        assert "A cost is an amount" in execution.dead_letters.get().message

    def test_of_more_than_the_ledger_holds_loses_nobodys_work(self, called):
        execution = called(CALL | {"input_tokens": 2**53 - 1})

        assert execution.status == "succeeded"
        assert (line().amount, line().basis) == (None, "unknown")

    @pytest.mark.slow
    def test_is_told_of_a_thousand_times_in_one_run(self, called):
        execution = called(times=1_000)

        assert execution.status == "succeeded"
        assert LedgerEntry.objects.count() == 1_000


class TestOutside:
    def test_has_the_names_that_genai_gives(self, called):
        execution = called(CALL)

        told = dict(sent().attributes)
        assert told["gen_ai.prompt.name"] == "prompts/sort.txt"
        assert told["gen_ai.request.temperature"] == 0.2
        assert told["controlplane.model.reasoning_effort"] == "low"
        assert told["gen_ai.data_source.id"] == "mail 2026-11"
        assert told["controlplane.prompt.digest"] == digest_text(PROMPT)
        assert told["controlplane.release"].endswith(execution.release.digest)

    def test_names_who_asked_only_where_content_may_leave(self, world, called):
        called(CALL)

        assert world.ada.key not in str(dict(sent().attributes))
        assert dict(sent(content=True).attributes)["controlplane.requester"] == world.ada.key

    def test_is_told_over_the_api(self, world, called):
        execution = called(CALL)

        _, answer, _ = signed_in(get_user_model().objects.get(username="ada")).get(f"traces/{execution.trace_id}/")
        calls = [part["call"] for part in answer["results"]]
        assert [call["prompt_digest"] for call in calls if call] == [digest_text(PROMPT)]
        assert calls.count(None) == len(calls) - 1
