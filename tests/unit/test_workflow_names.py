"""Names and arguments: what a step can see, what it is given, and the slips that are caught."""

import pytest

from tests.unit.workflow_world import HEAD, INPUT, errors, steps, workflow


class TestNames:
    """Closed: the file has an `input:` schema, so every name is declared somewhere. Open: it has none."""

    def test_are_input_without_a_schema(self) -> None:
        spec = workflow(
            "a: {agent: freelancer, when: region == 'EU', output: {properties: {n: {}}}}",
            "b: {tool: crm.update_case, note: '${input.greeting}'}",
        )

        assert spec.implied_input == ("case_id", "greeting", "region")
        assert spec.variables_of("b")["region"] == "dyn"

    def test_of_a_step_that_declares_nothing_are_taken_on_trust(self) -> None:
        spec = workflow("a: {agent: freelancer}", "b: {agent: freelancer, when: rating > 3}")

        assert spec.implied_input == ()
        assert spec.variables_of("b")["rating"] == "dyn"

    def test_have_the_types_of_their_schemas(self) -> None:
        variables = workflow("a: {agent: intake_classifier}", "b: {agent: policy_checker}").variables_of("b")

        assert {name: variables[name] for name in ("confidence", "query", "urgent", "customer", "input", "steps")} == {
            "confidence": "dyn",
            "query": "string",
            "urgent": "bool",
            "customer": "map",
            "input": "map",
            "steps": "map",
        }

    def test_may_come_from_a_fallback(self) -> None:
        spec = workflow(
            "a: {agent: response_writer, on_error: b}",
            "b: {agent: policy_checker}",
            "c: {agent: policy_checker, when: reply == 'x' && score > 0.5}",
        )

        assert spec.variables_of("c")["reply"] == "dyn"

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            (["a: {agent: policy_checker, when: amont > 5}"], "5:38: Unknown name `amont`. Did you mean `amount`?"),
            (
                ["a: {agent: policy_checker, when: region == 1}"],
                "5:38: Unknown name `region`. Declare it under `input`. Known: `amount`, `case_id`.",
            ),
            (
                ["a: {agent: policy_checker, when: input.amuont > 5}"],
                "5:44: `input` has no `amuont`. Did you mean `amount`?",
            ),
            (["a: {agent: policy_checker, when: case_id > 5}"], "5:46: `>` does not take (string, int)."),
            (
                ["a: {agent: intake_classifier}", "b: {agent: policy_checker, when: customer.teir == 'x'}"],
                "6:47: `customer` has no `teir`. Did you mean `tier`?",
            ),
            (
                ["a: {agent: intake_classifier}", "b: {agent: policy_checker, when: steps.a.confidenc > 1}"],
                "6:46: `steps.a` has no `confidenc`. Did you mean `confidence`?",
            ),
            (
                ["a: {agent: intake_classifier}", "b: {agent: policy_checker, when: steps.aa.x > 1}"],
                "6:44: There is no step `aa`. Did you mean `a`?",
            ),
            (
                ["a: {agent: intake_classifier}", "b: {agent: policy_checker, needs: [], when: steps.a.query == ''}"],
                "6:55: The step `a` does not run before this one. Add it to `needs`.",
            ),
            (
                ["a: {agent: policy_checker, when: confidence > 0.5}", "b: {agent: intake_classifier}"],
                "5:38: Unknown name `confidence`: it comes from the step `b`, which does not run before this one.",
            ),
            (
                ["a: {agent: freelancer}", "b: {agent: policy_checker, when: rating > 3}"],
                "6:38: Unknown name `rating`. Write `steps.a.rating` if that step gives it, or declare it under `input`.",
            ),
            (
                ["a: {agent: freelancer}", "b: {tool: kb_search, corpus: x}"],
                '6:5: `kb_search` needs `query`: nothing supplies it. Write `query: "${steps.a.query}"` if that step gives it',
            ),
            (
                ["a: {tool: kb_search, corpus: x}"],
                "5:5: `kb_search` needs `query`: nothing supplies it. Write `query: …` in the step, or declare",
            ),
            (
                ["a: {tool: kb_search, corpus: x, needs: []}", "b: {agent: intake_classifier}"],
                "5:5: `kb_search` needs `query`: it comes from the step `b`, which does not run before this one. Add",
            ),
        ],
    )
    def test_are_checked_against_the_schema(self, lines: list[str], told: str) -> None:
        assert f"w.yaml:{told}" in "\n".join(errors(steps(*lines, head=HEAD + INPUT)))

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            (
                "b: {agent: policy_checker, when: confidense > 0.5}",
                "Did you mean `confidence`? If not, declare `confidense` under `input`",
            ),
            ("b: {agent: policy_checker, when: qeury == 'x'}", "Did you mean `query`?"),
            ("b: {agent: policy_checker, when: score > 0.5}", ""),
            ("b: {agent: policy_checker, when: refund_amount > 0.5}", "it comes from the step `c`"),
        ],
    )
    def test_that_look_like_a_slip_are_errors_without_a_schema_too(self, line: str, told: str) -> None:
        lines = ("a: {agent: intake_classifier}", line, "c: {agent: response_writer}")

        if told:
            assert told in "\n".join(errors(steps(*lines)))
        else:
            assert workflow(*lines).implied_input == ("case_id", "score")

    def test_of_an_unknown_agent_cause_no_second_error(self) -> None:
        told = errors(
            steps("a: {agent: freelanser}", "b: {tool: kb_search, corpus: x, when: foo > 1}", head=HEAD + INPUT)
        )

        assert told == ["w.yaml:5:16: There is no agent `freelanser`. Did you mean `freelancer`?"]


class TestNeededInput:
    """Without an `input:` schema: what no execution can succeed without. In doubt it is none."""

    @pytest.mark.parametrize(
        "lines",
        [
            ["a: {agent: freelancer, note: '${x}'}"],
            ["a: {agent: freelancer, note: ['a ${x.inner} b']}"],
            ["a: {agent: freelancer, note: '${input.x}'}"],
            ["a: {agent: freelancer, note: \"${x.startsWith('a || b')}\"}"],
            ["a: {agent: freelancer, when: x > 5}"],
            ["a: {tool: crm.revert_case, case_id: C, idempotency_key: x}"],
            ["a: {agent: freelancer, when: 1 > 2}", "b: {agent: freelancer, needs: [], note: '${x}'}"],
            ["a: {agent: freelancer, on_error: r}", "r: {agent: freelancer}", "b: {agent: freelancer, note: '${input.x}'}"],
        ],
    )  # fmt: skip
    def test_is_what_a_step_that_always_runs_cannot_do_without(self, lines: list[str]) -> None:
        assert workflow(*lines).needed_input == ("x",)

    @pytest.mark.parametrize(
        "lines",
        [
            ["a: {agent: freelancer, note: '${has(input.x)}'}"],
            ["a: {agent: freelancer, when: has(input.x) && input.x > 5}"],
            ["a: {agent: freelancer, when: 'true || x'}"],
            ["a: {agent: freelancer, note: '${1 > 2 ? x : 3}'}"],
            ["a: {agent: freelancer, note: '${[].exists(i, i == x)}'}"],
            ["a: {agent: freelancer, when: 1 > 2, note: '${x}'}"],
            ["a: {agent: freelancer, when: 1 > 2}", "b: {agent: freelancer, note: '${input.x}'}"],
            ["a: {agent: freelancer, note: '${x}', on_error: route_to_human}"],
            ["a: {agent: freelancer, on_error: r}", "r: {agent: freelancer, note: '${x}'}"],
            ["a: {required: 1, ask: 'Pay ${x}?'}"],
            ["a: {human_if: [x > 5]}", "b: {agent: freelancer}"],
            ["a: {agent: freelancer}", "b: {agent: freelancer, note: '${x}'}"],
        ],
    )
    def test_is_nothing_that_some_execution_may_do_without(self, lines: list[str]) -> None:
        assert workflow(*lines).needed_input == ()

    def test_is_what_a_contract_requires_and_what_is_given_back(self) -> None:
        spec = workflow("a: {agent: intake_classifier}", head=HEAD + "returns: {x: '${x}', y: '${query}'}\n")

        assert spec.needed_input == ("case_id", "x")

    def test_is_for_the_schema_to_say_where_there_is_one(self) -> None:
        spec = workflow("a: {agent: freelancer, note: '${amount}'}", head=HEAD + INPUT)

        assert (spec.implied_input, spec.needed_input) == ((), ())


class TestArguments:
    def test_may_be_expressions_at_any_depth(self) -> None:
        step = workflow(
            "a: {agent: intake_classifier}",
            "b: {tool: kb_search, corpus: 'x-${query}', query: '${query}', tags: ['${query}', {deep: '${urgent}'}]}",
        ).step("b")

        assert step.arguments["tags"] == ["${query}", {"deep": "${urgent}"}]

    def test_that_share_a_name_with_a_word_stand_under_with(self) -> None:
        step = workflow("a: {tool: crm.update_case, timeout: 9s, with: {case_id: C1, timeout: 3}}").step("a")

        assert (step.timeout_seconds, step.arguments) == (9, {"case_id": "C1", "timeout": 3})

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            (
                "b: {tool: kb_search, corpus: x, querry: y}",
                "5:37: `kb_search` has no argument `querry`. Did you mean `query`?",
            ),
            (
                "b: {tool: kb_search, corpus: x, tmeout: 5s}",
                "5:37: `kb_search` has no argument `tmeout`. Did you mean `timeout`?",
            ),
            (
                "b: {agent: freelancer, tmeout: 5s}",
                "5:28: `freelancer` has no argument `tmeout`. Did you mean `timeout`?",
            ),
            (
                "b: {tool: kb_search, corpus: 7}",
                "5:34: `corpus` does not fit its contract: `7` is not of type 'string'. Put it in quotes.",
            ),
            (
                "b: {tool: kb_search, corpus: true}",
                "5:34: `corpus` does not fit its contract: `true` is not of type 'string'. Put it in quotes.",
            ),
            ("b: {tool: kb_search, corpus: 0123}", "5:34: 0123 would be read as 123. Put it in quotes, as a text."),
            (
                "b: {tool: kb_search, corpus: x, max_results: 2.50}",
                "5:50: `max_results` does not fit its contract: `2.50` is not of type 'integer'. Correct the value.",
            ),
            (
                "b: {tool: kb_search, corpus: x, max_results: '${query}'}",
                "5:50: `max_results` takes integer, and this gives string.",
            ),
            (
                "b: {tool: kb_search, corpus: x, max_results: 'n ${confidence}'}",
                "5:50: `max_results` takes integer, and this gives string.",
            ),
            ("b: {tool: kb_search, corpus: '${'}", "5:35: `${` has no closing `}`."),
            ("b: {tool: kb_search, corpus: '${size(}'}", "5:42: it ends too early"),
            ("b: {tool: kb_search, corpus: 'x ${qury} y'}", "5:39: Unknown name `qury`. Did you mean `query`?"),
            (
                "b: {tool: kb_search, corpus: x, tags: [1, '${qury}']}",
                "5:50: Unknown name `qury`. Did you mean `query`?",
            ),
            ("b: {tool: kb_search, corpus: x, with: {corpus: y}}", "5:44: The argument `corpus` is given twice."),
            ("b: {tool: kb_search, corpus: x, with: 5}", "5:43: `with` must be a mapping, not `5`."),
            (
                "b: {tool: kb_search, corpus: x, max_results: 99999999999999999999}",
                "5:50: 99999999999999999999 is too large to be exact everywhere.",
            ),
        ],
    )
    def test_are_checked_against_the_contract(self, line: str, told: str) -> None:
        assert f"w.yaml:{told}" in "\n".join(errors(steps("a: {agent: intake_classifier}", line)))
