"""The spec as a value: it survives JSON, knows its graph, and its durations are exact."""

import json
from pathlib import Path

import pytest

from audit.canonical import canonical
from orchestrator.workflows.catalogue import catalogue_from_folder
from orchestrator.workflows.durations import seconds_of
from orchestrator.workflows.graph import cycle_in, ordered
from orchestrator.workflows.parse import load
from orchestrator.workflows.spec import RetryRule, RetrySpec, StepSpec, WorkflowSpec
from orchestrator.workflows.words import distance, lookalike
from tests.unit.workflow_world import HEAD, INPUT, SUPPORT_CASE, read, workflow

EXAMPLES = Path(__file__).parents[2] / "examples"


def everything() -> WorkflowSpec:
    head = (
        HEAD + INPUT + "description: All of it\ntrigger: t\noutput: {required: [reply]}\nreturns: {reply: '${reply}'}\n"
        "deadline: 1d\nmax_steps: 9\nmax_tokens: 99\nmax_cost: 1.10\n"
        "allowed_tools: [crm.update_case, crm.revert_case, kb_search]\n"
    )
    return workflow(
        "a: {agent: response_writer, min_score: 0.5, token_budget: 10, max_cost: 0.01, allowed_tools: [], "
        "output: {properties: {score: {}, reply: {minLength: 1}}}, on_error: f}",
        "f: {agent: response_writer}",
        "b: {tool: crm.update_case, when: amount > 5, retry: {backoff: 1.5s, by_class: {lost: {max_attempts: 9}}}, "
        "idempotency_key: case_id, reconcile_before_retry: false, compensate_with: crm.revert_case, note: ['${reply}', 1]}",
        "c: {human_if: [amount > 1], required: 2, checks: ['Is it right?'], needs: [a, b]}",
        head=head,
    )


class TestJson:
    @pytest.mark.parametrize("before", [everything(), read(SUPPORT_CASE), load(EXAMPLES / "reconciliation")])
    def test_gives_the_same_value_back(self, before: WorkflowSpec) -> None:
        after = WorkflowSpec.from_json(json.loads(json.dumps(before.to_json())))

        assert after == before
        assert canonical(after.to_json()) == canonical(before.to_json())

    def test_of_an_older_release_takes_the_defaults(self) -> None:
        spec = WorkflowSpec.from_json({"workflow": "w", "version": "1", "steps": [{"key": "a", "kind": "agent"}]})

        assert spec.step("a") == StepSpec("a", "agent")
        assert spec.needed_input == ()

    def test_tells_no_tools_from_any_tool(self) -> None:
        spec = WorkflowSpec.from_json(everything().to_json())

        assert spec.step("a").allowed_tools == ()
        assert spec.step("f").allowed_tools is None


class TestGraph:
    def test_knows_what_follows_in_a_chain(self) -> None:
        spec = read(SUPPORT_CASE)

        assert [spec.after(step.key) for step in spec.steps] == [*spec.steps[1:], None]

    @pytest.mark.parametrize(
        "lines",
        [
            ("a: {agent: freelancer}", "b: {agent: freelancer, when: x}"),
            ("a: {agent: freelancer, on_error: b}", "b: {agent: freelancer}"),
            ("a: {agent: freelancer}", "b: {agent: freelancer, needs: []}"),
            ("a: {agent: freelancer}", "b: {agent: freelancer}", "c: {agent: freelancer, needs: [a]}"),
            ("a: {agent: freelancer, needs: [b]}", "b: {agent: freelancer, needs: []}"),
        ],
    )
    def test_is_no_chain_when_more_than_one_thing_can_follow(self, lines: tuple[str, ...]) -> None:
        assert workflow(*lines).is_chain is False

    def test_orders_by_need_and_then_by_place(self) -> None:
        assert ordered({"d": ("b", "c"), "a": (), "c": ("a",), "b": ("a",)}) == ("a", "c", "b", "d")

    def test_finds_a_cycle_behind_a_tail(self) -> None:
        assert cycle_in({"t": ("a",), "a": ("b",), "b": ("a",), "z": ("unknown",)}) == ("a", "b", "a")
        assert cycle_in({"a": (), "b": ("a", "unknown")}) == ()


class TestRetry:
    def test_falls_back_to_the_rule_of_the_step(self) -> None:
        retry = RetrySpec(max_attempts=3, by_class={"lost": RetryRule(max_attempts=9)})

        assert retry.for_class("lost").max_attempts == 9
        assert retry.for_class("system").max_attempts == 3


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("30s", 30), ("5m", 300), ("2h", 7200), ("7d", 604_800), ("1w", 604_800), ("1h30m", 5400), ("1h 30m", 5400),
            ("500ms", 0.5), ("1.5s", 1.5), ("90", 90), ("0.25", 0.25), ("PT5M", 300), ("P1DT12H", 129_600), ("pt0.5s", 0.5),
        ],
    )  # fmt: skip
    def test_is_read_as_people_write_it(self, text: str, seconds: float) -> None:
        assert seconds_of(text) == seconds
        assert isinstance(seconds_of(text), type(seconds))

    @pytest.mark.parametrize(
        "text", ["", "s", "5 minutes", "-5s", "1y", "PT", "P", "P1DT", "five", "1e3", "5S", "\uff15s", "9" * 50]
    )
    def test_is_nothing_else(self, text: str) -> None:
        assert seconds_of(text) is None


class TestLookalike:
    @pytest.mark.parametrize(
        ("word", "meant"),
        [
            ("refund_amont", "refund_amount"), ("refund_maount", "refund_amount"), ("socre", "score"), ("scor", "score"),
            ("refnd_amont", "refund_amount"), ("id", None), ("case_id", None), ("scxxe", None), ("score", None),
            ("x" * 500, None),
        ],
    )  # fmt: skip
    def test_is_one_slip_away_or_two_in_a_long_word(self, word: str, meant: str | None) -> None:
        assert lookalike(word, ["refund_amount", "score", "ip"]) == meant

    @pytest.mark.parametrize(
        ("one", "other", "edits"),
        [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("abcd", "acbd", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("abc", "", 3),
        ],
    )
    def test_counts_edits(self, one: str, other: str, edits: int) -> None:
        assert distance(one, other) == edits


class TestCatalogue:
    def test_reads_the_contracts_of_a_folder(self) -> None:
        found = catalogue_from_folder(EXAMPLES / "reconciliation")

        assert found.tools["erp.post_adjustment"].compensate_with == "erp.reverse_adjustment"
        assert found.agents["poster"].allowed_tools == ("erp.post_adjustment",)

    def test_is_empty_without_files(self, tmp_path: Path) -> None:
        assert catalogue_from_folder(tmp_path).tools == {}
