"""Data flow: what a step sees, what it is given, and what an execution gives back."""

from typing import Any

import pytest

from orchestrator.workflows.binding import BindingError, bind, bind_output, scope_of
from orchestrator.workflows.spec import WorkflowSpec
from orchestrator.workflows.templates import BadTemplate, Hole, parts_of
from tests.unit.workflow_world import CATALOGUE, HEAD, INPUT, SUPPORT_CASE, read, workflow

CASE = {"case_id": "C1", "message": "my refund"}
OUTPUTS: dict[str, dict[str, Any]] = {
    "triage": {"confidence": 0.9, "query": "refund", "customer": {"tier": "gold"}},
    "retrieve": {"articles": [{"id": 1}]},
    "draft": {"reply": "Dear", "refund_amount": 20},
}


def support_case() -> WorkflowSpec:
    return read(SUPPORT_CASE)


def given(line: str, *before: str, input: dict[str, Any] | None = None, **outputs: Any) -> dict[str, Any]:
    """The arguments of the last step, once the steps before it gave these outputs."""
    spec = workflow(*before, line)
    step = spec.steps[-1]
    contract = CATALOGUE.tools[step.tool] if step.tool else CATALOGUE.agents[step.agent or ""]
    return bind(step, scope_of(spec, step.key, input or {}, outputs), contract.input_schema)


class TestScope:
    def test_holds_the_input_and_every_output_before(self) -> None:
        scope = scope_of(support_case(), "draft", CASE, OUTPUTS)

        assert scope["case_id"] == "C1"
        assert scope["articles"] == [{"id": 1}]
        assert scope["input"] == CASE
        assert scope["steps"] == {"triage": OUTPUTS["triage"], "retrieve": OUTPUTS["retrieve"]}
        assert "reply" not in scope

    def test_lets_the_later_of_two_equal_names_win(self) -> None:
        gives_n = "output: {properties: {n: {}}}"
        spec = workflow(
            f"a: {{agent: freelancer, {gives_n}}}", f"b: {{agent: freelancer, {gives_n}}}", "c: {agent: freelancer}"
        )

        scope = scope_of(spec, "c", {"n": 0}, {"b": {"n": 2}, "a": {"n": 1}})

        assert (scope["n"], scope["steps"]["a"]["n"], scope["input"]["n"]) == (2, 1, 0)

    def test_gives_what_nobody_declared_a_name_only_where_nothing_else_has_it(self) -> None:
        spec = workflow(
            "a: {agent: intake_classifier}", "b: {agent: freelancer}", "c: {agent: freelancer}", head=HEAD + INPUT
        )
        odd = {"confidence": 0.99, "case_id": "SOMEBODY-ELSE", "amount": 1, "message": "mine", "more": 1}

        scope = scope_of(
            spec, "c", {"case_id": "C1", "message": "theirs"}, {"a": {"confidence": 0.2, "pin": 7}, "b": odd}
        )

        assert (scope["confidence"], scope["case_id"], scope["message"], scope["more"]) == (0.2, "C1", "theirs", 1)
        assert not {"amount", "pin"} & scope.keys()
        assert (scope["steps"]["b"], scope["steps"]["a"]["pin"]) == (odd, 7)

    def test_leaves_out_branches_it_does_not_wait_for(self) -> None:
        spec = workflow(
            "a: {agent: freelancer}", "b: {agent: freelancer, needs: []}", "c: {agent: freelancer, needs: [a]}"
        )

        assert "n" not in scope_of(spec, "c", {}, {"a": {"m": 1}, "b": {"n": 2}})

    def test_puts_a_fallback_in_the_place_of_what_failed(self) -> None:
        spec = workflow(
            "a: {agent: freelancer, on_error: b}",
            "b: {agent: freelancer, on_error: c}",
            "c: {agent: freelancer}",
            "d: {agent: freelancer}",
        )

        scope = scope_of(spec, "d", {}, {"c": {"n": 3}})

        assert (scope["n"], scope["steps"]) == (3, {"a": {"n": 3}})

    def test_has_nothing_of_a_skipped_step(self) -> None:
        spec = workflow("a: {agent: freelancer}", "b: {agent: freelancer, when: has(steps.a.n)}")

        assert scope_of(spec, "b", {}, {})["steps"] == {"a": {}}

    def test_keeps_what_people_said_out_of_the_data(self) -> None:
        spec = workflow("a: {required: 1}", "b: {agent: freelancer}")

        scope = scope_of(spec, "b", {}, {"a": {"why": "fine"}})

        assert "why" not in scope
        assert scope["steps"]["a"] == {"why": "fine"}

    def test_has_its_roots_whatever_the_data_is_called(self) -> None:
        spec = workflow("a: {agent: freelancer}", "b: {agent: freelancer}")

        scope = scope_of(spec, "b", {"steps": 1}, {"a": {"input": 2}})

        assert (scope["input"], scope["steps"]) == ({"steps": 1}, {"a": {"input": 2}})


class TestBind:
    def test_takes_what_the_contract_declares_from_the_scope_by_name(self) -> None:
        scope = scope_of(support_case(), "retrieve", CASE, OUTPUTS)
        step = support_case().step("retrieve")

        assert bind(step, scope, CATALOGUE.tools["kb_search"].input_schema) == {
            "query": "refund",
            "corpus": "policy_corpus_2026_02",
            "max_results": 5,
        }

    def test_lets_the_file_override_the_scope(self) -> None:
        line = "b: {tool: kb_search, corpus: x, query: '${query} now'}"

        assert given(line, "a: {agent: intake_classifier}", a={"query": "refund"})["query"] == "refund now"

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("'${confidence}'", 0.9),
            ("'${customer}'", {"tier": "gold"}),
            ("'${steps.a.customer.tier}'", "gold"),
            ("'${confidence > 0.5 ? query : customer.tier}'", "refund"),
            ("'${query}: ${confidence} of ${customer}'", 'refund: 0.9 of {"tier": "gold"}'),
            ("'${ {''a'': {''b'': ''}''}}.a.b }'", "}"),
            ("'$${query}'", "${query}"),
            ("['${query}', {deep: ['${confidence}']}, 3]", ["refund", {"deep": [0.9]}, 3]),
            ("'costs 5$'", "costs 5$"),
        ],
    )
    def test_fills_expressions(self, argument: str, value: Any) -> None:
        line = f"b: {{agent: freelancer, with: {{it: {argument}}}}}"
        outputs = {"confidence": 0.9, "query": "refund", "customer": {"tier": "gold"}}

        found = given(line, "a: {agent: intake_classifier}", a=outputs)

        assert found == {"it": value}

    def test_takes_optional_values_only_when_they_are_there(self) -> None:
        assert given("a: {agent: intake_classifier}", input={"case_id": "C1"}) == {"case_id": "C1"}

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (
                "b: {tool: kb_search, corpus: x}",
                "step b: `query` is required, and nothing before this step supplied it",
            ),
            (
                "b: {tool: kb_search, query: x, corpus: '${customer.tier}'}",
                'step b: `corpus` has no value: ${customer.tier}: there is no "tier"',
            ),
            (
                "b: {tool: kb_search, query: x, corpus: 'is ${urgent}'}",
                "step b: `corpus` has no value: ${urgent} is null",
            ),
            ("b: {tool: kb_search, query: x, corpus: '${query + query}'}", "`query` has no value"),
        ],
    )
    def test_names_step_and_argument_when_a_value_is_missing(self, line: str, said: str) -> None:
        with pytest.raises(BindingError) as caught:
            given(line, "a: {agent: intake_classifier}", a={"customer": {}, "urgent": None})

        assert said in str(caught.value)
        assert caught.value.place == "step b"


class TestOutput:
    def test_is_what_the_last_steps_gave(self) -> None:
        spec = workflow(
            "a: {agent: freelancer}", "b: {agent: freelancer, needs: [a]}", "c: {agent: freelancer, needs: [a]}"
        )

        assert bind_output(spec, {}, {"a": {"x": 1}, "b": {"y": 2}, "c": {"z": 3}}) == {"y": 2, "z": 3}

    def test_is_found_by_name_when_it_is_declared(self) -> None:
        head = HEAD + "output: {required: [reply], properties: {reply: {}, score: {}}}\n"
        spec = workflow("a: {agent: response_writer}", "b: {agent: freelancer}", head=head)

        assert bind_output(spec, {}, {"a": {"reply": "Dear", "x": 1}, "b": {}}) == {"reply": "Dear"}

    def test_is_what_returns_says(self) -> None:
        head = HEAD + "returns: {answer: '${reply}', from: 'for ${input.case_id}', kind: letter}\n"
        spec = workflow("a: {agent: response_writer}", head=head)

        found = bind_output(spec, {"case_id": "C1"}, {"a": {"reply": "Dear"}})

        assert found == {"answer": "Dear", "from": "for C1", "kind": "letter"}

    @pytest.mark.parametrize(
        ("head", "said"),
        [
            ("output: {required: [reply]}\n", "output: `reply` is required, and no step supplied it"),
            ("returns: {answer: '${reply}'}\n", "returns: `answer` has no value: ${reply}: `reply` has no value"),
        ],
    )
    def test_says_what_was_promised_and_is_not_there(self, head: str, said: str) -> None:
        spec = workflow("a: {agent: response_writer}", head=HEAD + head)

        with pytest.raises(BindingError) as caught:
            bind_output(spec, {}, {"a": {}})

        assert str(caught.value) == said


class TestTemplate:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("", ()),
            ("plain", ("plain",)),
            ("${a}", (Hole("a", 2),)),
            ("x${a}y${b}", ("x", Hole("a", 3), "y", Hole("b", 8))),
            ("$${a}", ("${a}",)),
            ("${a}$${b}", (Hole("a", 2), "${b}")),
            ("$ {a} $", ("$ {a} $",)),
            ("${'}'}", (Hole("'}'", 2),)),
            (r"${'\'}'}", (Hole(r"'\'}'", 2),)),
            ("${{'a': 1}}", (Hole("{'a': 1}", 2),)),
        ],
    )
    def test_is_split_into_texts_and_holes(self, text: str, parts: tuple[Any, ...]) -> None:
        assert parts_of(text) == parts

    @pytest.mark.parametrize("text", ["${", "x ${a", "${'}", "${ {a }"])
    def test_needs_an_end_for_every_hole(self, text: str) -> None:
        with pytest.raises(BadTemplate) as caught:
            parts_of(text)

        assert caught.value.offset == text.index("${")
