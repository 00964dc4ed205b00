"""One step of a workflow file, its retries, and how steps depend on each other."""

import pytest

from orchestrator.workflows.spec import RetryRule
from tests.unit.workflow_world import HEAD, errors, read, steps, workflow


class TestStep:
    def test_has_defaults(self) -> None:
        step = workflow("a: {agent: freelancer}").step("a")

        assert (step.timeout_seconds, step.on_error, step.required, step.needs) == (60, "fail", 1, ())
        assert (step.retry.max_attempts, step.reconcile_before_retry, step.line) == (5, True, 4)

    def test_promises_what_its_schemas_promise(self) -> None:
        step = workflow("a: {tool: kb_search, query: x, corpus: y, non_empty: [articles]}").step("a")
        own = workflow(
            "a: {agent: freelancer, output: {properties: {rows: {minItems: 1}, n: {minLength: 0}}}, non_empty: [n]}"
        )

        assert step.non_empty == ("articles",)
        assert own.step("a").non_empty == ("n", "rows")

    def test_asks_people_when_it_says_how_many(self) -> None:
        step = workflow("a: {agent: freelancer}", "sign: {required: 2}").step("sign")

        assert (step.kind, step.required, step.human_if) == ("approval", 2, ())

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("a", "4:5: A step is a mapping, not `a`. Write `- key: {agent: name}`."),
            ("{}", "4:5: A step without a key."),
            ("a: freelancer", "4:8: The step `a` is a mapping, not `freelancer`."),
            (
                "a:",
                "4:5: The step `a` does nothing. Give it an `agent`, a `tool`, or `human_if` for people to approve.",
            ),
            (
                "{a: {agent: freelancer}, b: {agent: freelancer}}",
                "4:30: `b` stands beside the step `a`, not inside it. Indent it below `a:`.",
            ),
            ("a-b: {agent: freelancer}", "4:5: A step cannot be called `a-b`."),
            ("fail: {agent: freelancer}", "4:5: A step cannot be called `fail`, a word of `on_error`."),
            (
                "a: {agent: freelancer, tool: kb_search}",
                "4:28: The step `a` names an agent and a tool. Make two steps of it.",
            ),
            ("a: {agnt: freelancer}", "4:9: Unknown key `agnt`. Did you mean `agent`?"),
            (
                "a: {agent: freelancer, human_if: [x > 1]}",
                "4:28: `human_if` belongs to a step people approve; `a` is an agent step.",
            ),
            (
                "a: {agent: freelancer, checks: [Is it right?]}",
                "4:28: `checks` belongs to a step people approve; `a` is an agent step. "
                "Give the approval a step of its own.",
            ),
            ("a: {required: 1, checks: Is it right?}", "4:30: `checks` must be a list, not `Is it right?`."),
            ("a: {required: 1, checks: [5 > 3, '']}", "4:38: An item of `checks` must be a text, not nothing."),
            (
                "a: {tool: crm.revert_case, case_id: x, min_score: 0.5}",
                "4:44: `min_score` belongs to an agent step; `a` is a tool step.",
            ),
            (
                "a: {agent: freelancer, idempotency_key: x}",
                "4:28: `idempotency_key` belongs to a tool step; `a` is an agent step.",
            ),
            (
                "a: {required: 1, timeout: 5s}",
                "4:22: `timeout` belongs to an agent step or a tool step; `a` is a step people approve.",
            ),
            (
                "a: {required: 1, on_error: b}",
                "4:22: `on_error` belongs to an agent step or a tool step; `a` is a step people approve.",
            ),
            ("a: {required: 3}", "4:19: `required` must be a whole number from 1 to 2, not `3`."),
            ("a: {required: 0}", "4:19: `required` must be a whole number from 1 to 2, not `0`."),
            ("a: {agent: freelancer, compensate_with: x, }", "4:28: `compensate_with` belongs to a tool step"),
            (
                "a: {tool: crm.revert_case, case_id: x, compensate_with: crm.rever_case}",
                "4:61: There is no tool `crm.rever_case`. Did you mean `crm.revert_case`?",
            ),
            (
                "a: {tool: crm.revert_case, case_id: x, compensate_with: crm.revert_case}",
                "4:61: A tool cannot take back its own effect: called again, it does it once more. Name the tool that",
            ),
            (
                "a: {tool: crm.revert_case, case_id: x, compensate_with: kb_search}",
                "4:61: A tool that only reads takes nothing back. Name the tool that does the opposite",
            ),
            (
                "a: {tool: crm.revert_case, case_id: x, idempotency_key: '[1]'}",
                "4:61: An idempotency key is a text, and this gives list.",
            ),
            ("a: {agent: intake_classifier, min_score: 0.5}", "4:46: `intake_classifier` gives no `score`."),
            (
                "a: {agent: freelancer, min_score: 0.5, output: {properties: {score: {type: string}}}}",
                "4:39: The `score` that `freelancer` gives is no number. Correct the schema of its output.",
            ),
            (
                "a: {agent: freelancer, min_score: 0.5, output: {properties: {score: {type: [boolean, 'null']}}, "
                "additionalProperties: true}}",
                "4:39: The `score` that `freelancer` gives is no number.",
            ),
            (
                "a: {agent: intake_classifier, non_empty: [quey]}",
                "4:46: The step gives no `quey`. Did you mean `query`?",
            ),
            (
                "a: {agent: response_writer, allowed_tools: [crm.revert_case]}",
                "4:48: The agent `response_writer` may not call `crm.revert_case`.",
            ),
            ("a: {agent: freelancer, timeout: 5 minutes}", "4:37: `timeout` must be a duration, not `5 minutes`."),
            (
                "a: {agent: freelancer, when: [x]}",
                "4:34: `when` must be a condition such as `amount > 500`, not a list.",
            ),
            (
                "a: {agent: freelancer, when: \"'x'\"}",
                "4:35: this gives a value of type string, and a condition must be true or false.",
            ),
            (
                "a: {agent: freelancer, when: yes}",
                "4:34: `when` cannot be `yes`. Write true or false; a value of that name is `input.yes`.",
            ),
            ("a: {human_if: ['On']}", "4:20: An item of `human_if` cannot be `On`. Write true or false"),
            ("a: {required: 1, ask: null}", "4:27: `ask` must be a text, not `null`. Remove it, or put it in quotes."),
            ("a: {required: 1, ask: 5}", "4:27: `ask` must be a text, not `5`. Put it in quotes."),
            ("a: {required: 1, checks: [~]}", "4:31: An item of `checks` must be a text, not `~`. Remove it, or"),
            (
                "a: {agent: freelancer, allowed_tools: [bad name]}",
                "4:44: An item of `allowed_tools` cannot be `bad name`. Write the names of tools: [kb_search].",
            ),
            (
                "a: {agent: freelancer, needs: [a-b]}",
                "4:36: An item of `needs` cannot be `a-b`. Write the keys of steps",
            ),
            ("a: {human_if: [{b: c}]}", "4:20: An item of `human_if` must be a condition such as `amount > 500`"),
            ("a: {agent: freelancer, retry: 5}", "4:35: `retry` must be a mapping, not `5`."),
        ],
    )
    def test_refuses_what_it_cannot_mean(self, line: str, said: str) -> None:
        assert f"w.yaml:{said}" in "\n".join(errors(steps(line)))

    @pytest.mark.parametrize("score", ["{}", "{type: integer}", "{type: [number, 'null']}"])
    def test_compares_any_number_with_its_least_score(self, score: str) -> None:
        line = f"a: {{agent: freelancer, min_score: 0.5, output: {{properties: {{score: {score}}}}}}}"

        assert workflow(line).step("a").min_score == 0.5

    def test_key_stands_once(self) -> None:
        told = errors(steps("a: {agent: freelancer}", "b: {agent: freelancer}", "a: {agent: freelancer}"))

        assert told == [
            "w.yaml:6:5: The step `a` stands here again; it is already on line 4. Give each step a key of its own."
        ]

    def test_tool_must_be_among_the_allowed(self) -> None:
        told = errors(steps("a: {tool: crm.revert_case, case_id: x}", head=HEAD + "allowed_tools: [kb_search]\n"))

        assert told == ["w.yaml:5:15: The workflow's `allowed_tools` does not hold `crm.revert_case`. Add it there."]


class TestRetry:
    def test_takes_one_duration_for_the_backoff(self) -> None:
        retry = workflow("a: {agent: freelancer, retry: {max_attempts: 3, backoff: 500ms}}").step("a").retry

        assert (retry.max_attempts, retry.base_seconds, retry.factor, retry.ceiling_seconds) == (3, 0.5, 2, 300)

    def test_differs_by_failure_class(self) -> None:
        text = """\
retry:
        max_attempts: 4
        backoff: {base: 2s, factor: 3, ceiling: 1m}
        by_class: {timeout: {max_attempts: 2}, lost: {backoff: 10m}}"""
        retry = read(f"{HEAD}steps:\n  - a:\n      agent: freelancer\n      {text}\n").step("a").retry

        assert retry.for_class("timeout") == RetryRule(2, 2, 3, 60)
        assert retry.for_class("lost") == RetryRule(4, 600, 3, 600)
        assert retry.for_class("system") is retry

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ("{max_attempts: 0}", "`max_attempts` must be a whole number from 1 to 100, not `0`"),
            ("{max_atempts: 2}", "Unknown key `max_atempts`. Did you mean `max_attempts`?"),
            ("{backoff: {base: 5s, ceiling: 2s}}", "`ceiling` is shorter than `base`"),
            ("{backoff: {factor: 0.5}}", "`factor` must be a number from 1 to 10, not `0.5`"),
            ("{by_class: {business: {max_attempts: 2}}}", "Failures of class `business` are never retried"),
            ("{by_class: {timout: {max_attempts: 2}}}", "Unknown key `timout`. Did you mean `timeout`?"),
        ],
    )
    def test_refuses_what_it_cannot_mean(self, said: str, told: str) -> None:
        assert told in "\n".join(errors(steps(f"a: {{agent: freelancer, retry: {said}}}")))


class TestGraph:
    def test_runs_one_after_the_other_unless_told_otherwise(self) -> None:
        spec = workflow(
            "a: {agent: freelancer}",
            "b: {agent: freelancer}",
            "c: {agent: freelancer, needs: [a]}",
            "d: {agent: freelancer, needs: []}",
            "e: {agent: freelancer, needs: [b, c]}",
        )

        assert [step.needs for step in spec.steps] == [(), ("a",), ("a",), (), ("b", "c")]
        assert spec.is_chain is False
        assert spec.ancestors("e") == ("a", "b", "c")

    def test_lets_a_step_wait_for_one_further_down(self) -> None:
        spec = workflow("a: {agent: freelancer, needs: [b]}", "b: {agent: freelancer, needs: []}")

        assert spec.order == ("b", "a")

    def test_keeps_a_fallback_off_the_main_path(self) -> None:
        spec = workflow(
            "a: {agent: freelancer}",
            "b: {agent: freelancer, on_error: rescue}",
            "rescue: {agent: freelancer, on_error: rescue_again}",
            "rescue_again: {required: 1}",
            "c: {agent: freelancer}",
        )

        assert spec.step("c").needs == ("b",)
        assert [spec.step(key).stands_in_for for key in ("rescue", "rescue_again")] == ["b", "rescue"]
        assert spec.step("rescue_again").needs == ("a",)
        assert spec.main_path == ("a", "b", "c")
        assert spec.order.index("rescue_again") < spec.order.index("c")

    @pytest.mark.parametrize(
        ("lines", "told"),
        [
            (
                [
                    "a: {agent: freelancer, needs: [b]}",
                    "b: {agent: freelancer, needs: [c]}",
                    "c: {agent: freelancer, needs: [a]}",
                ],
                "4:35: The steps wait for each other: a -> b -> c -> a. Remove one of these arrows.",
            ),
            (["a: {agent: freelancer, needs: [a]}"], "4:35: The steps wait for each other: a -> a."),
            (
                ["a: {agent: freelancer}", "b: {agent: freelancer, needs: [aa]}"],
                "5:36: There is no step `aa`. Did you mean `a`?",
            ),
            (["a: {agent: freelancer, needs: a}"], "4:35: `needs` must be a list, not `a`."),
            (["a: {agent: freelancer, on_error: a}"], "4:38: The step `a` cannot be its own fallback."),
            (["a: {agent: freelancer, on_error: x}"], "4:38: There is no step `x`."),
            (
                ["a: {agent: freelancer, on_error: b}", "b: {agent: freelancer}", "c: {agent: freelancer, needs: [b]}"],
                "6:36: `b` is a fallback, off the main path: it stands in for `a`. Write `needs: [a]`.",
            ),
            (
                ["a: {agent: freelancer, on_error: b}", "b: {agent: freelancer, needs: [a]}"],
                "5:35: `b` is the fallback of `a` and starts when that fails. Remove `needs`.",
            ),
            (
                ["a: {agent: freelancer, on_error: b}", "b: {agent: freelancer, when: x}"],
                "5:34: `b` is the fallback of `a` and starts when that fails. Remove `when`.",
            ),
            (
                [
                    "a: {agent: freelancer, on_error: c}",
                    "b: {agent: freelancer, on_error: c}",
                    "c: {agent: freelancer}",
                ],
                "5:38: `c` is already the fallback of `a`.",
            ),
            (
                ["a: {agent: freelancer, on_error: b}", "b: {agent: freelancer, on_error: a}"],
                "4:38: The steps wait for each other: a -> b -> a.",
            ),
        ],
    )
    def test_refuses_what_cannot_run(self, lines: list[str], told: str) -> None:
        assert f"w.yaml:{told}" in "\n".join(errors(steps(*lines)))
