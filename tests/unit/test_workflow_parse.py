"""Workflow files: what they may say, and what a mistake is told with file, line, column and remedy."""

from pathlib import Path

import pytest

from orchestrator.workflows.catalogue import Catalogue
from orchestrator.workflows.parse import WorkflowErrors, load, parse
from orchestrator.workflows.spec import WorkflowSpec
from orchestrator.workflows.templates import NoValue, say
from tests.unit.workflow_world import HEAD, INPUT, SUPPORT_CASE, errors, read, steps, workflow

EXAMPLES = Path(__file__).parents[2] / "examples"


class TestSupportCase:
    def test_parses_as_written(self) -> None:
        spec = read(SUPPORT_CASE)

        assert (spec.workflow, spec.version, spec.trigger) == ("support_case_resolution", "1.3.2", "crm.case_created")
        assert [(step.key, step.kind) for step in spec.steps] == [
            ("triage", "agent"),
            ("retrieve", "tool"),
            ("draft", "agent"),
            ("validate", "agent"),
            ("approve", "approval"),
            ("commit", "tool"),
        ]

    def test_keeps_every_key(self) -> None:
        spec = read(SUPPORT_CASE)

        assert spec.step("triage").on_error == "route_to_human"
        assert spec.step("retrieve").arguments == {"corpus": "policy_corpus_2026_02", "max_results": 5}
        assert spec.step("draft").token_budget == 4000
        assert spec.step("validate").min_score == 0.92
        assert spec.step("approve").human_if == ("refund_amount > 500", "confidence < 0.85")
        assert spec.step("commit").idempotency_key == "case_id"
        assert spec.step("commit").reconcile_before_retry is True

    def test_takes_what_nobody_declares_from_the_trigger(self) -> None:
        assert read(SUPPORT_CASE).implied_input == ("case_id",)

    def test_is_a_chain(self) -> None:
        assert read(SUPPORT_CASE).is_chain is True

    @pytest.mark.parametrize(
        ("right", "wrong", "said"),
        [
            ("trigger", "triger", "w.yaml:3:1: Unknown key `triger`. Did you mean `trigger`?"),
            ("kb_search", "kb_serch", "w.yaml:6:22: There is no tool `kb_serch`. Did you mean `kb_search`?"),
            (
                "response_writer",
                "response_riter",
                "w.yaml:7:20: There is no agent `response_riter`. Did you mean `response_writer`?",
            ),
            ("corpus:", "corpsu:", "w.yaml:6:33: `kb_search` has no argument `corpsu`. Did you mean `corpus`?"),
            (
                "max_results: 5",
                "max_results: five",
                "w.yaml:6:77: `max_results` does not fit its contract: `five` is not of type 'integer'. Correct the value.",
            ),
            (
                "max_results: 5",
                "max_results: 50",
                "w.yaml:6:77: `max_results` does not fit its contract: `50` is greater than the maximum of 20.",
            ),
            (
                "min_score",
                "min_scor",
                "w.yaml:8:39: `policy_checker` has no argument `min_scor`. Did you mean `min_score`?",
            ),
            ("0.92", "1.92", "w.yaml:8:50: `min_score` must be a number from 0 to 1, not `1.92`."),
            ("human_if", "humna_if", "w.yaml:10:7: Unknown key `humna_if`. Did you mean `human_if`?"),
            (
                "refund_amount >",
                "refund_amont >",
                "w.yaml:10:18: Unknown name `refund_amont`. Did you mean `refund_amount`? If not, declare",
            ),
            ("confidence <", "confidence <<", "w.yaml:10:51: `<` cannot stand here."),
            ("refund_amount >", "query >", "w.yaml:10:24: `>` does not take (string, int)."),
            (
                "idempotency_key: case_id",
                "idempotency_key: customer",
                "w.yaml:11:54: An idempotency key is a text, and this gives map. Name a text or a number.",
            ),
            (
                "route_to_human",
                "route_to_humans",
                "w.yaml:5:50: There is no step `route_to_humans`. Did you mean `route_to_human`?",
            ),
            (
                "reconcile_before_retry: true",
                "reconcile_before_retry: yes",
                "w.yaml:11:87: `reconcile_before_retry` must be true or false, not `yes`.",
            ),
            (
                "token_budget: 4000",
                "token_budget: 4k",
                "w.yaml:7:51: `token_budget` must be a whole number from 1 to 1000000000, not `4k`.",
            ),
        ],
    )
    def test_names_the_place_of_a_slip(self, right: str, wrong: str, said: str) -> None:
        assert said in errors(SUPPORT_CASE.replace(right, wrong, 1))[0]


class TestHeader:
    def test_keeps_a_version_as_it_is_written(self) -> None:
        assert workflow("a: {agent: freelancer}", head="workflow: w\nversion: 1.10\n").version == "1.10"

    def test_reads_caps_and_deadline(self) -> None:
        head = HEAD + "deadline: 7d\nmax_steps: 20\nmax_tokens: 100000\nmax_cost: 2.50\nallowed_tools: [kb_search]\n"

        spec = workflow("a: {agent: freelancer}", head=head)

        assert (spec.deadline_seconds, spec.max_steps, spec.max_tokens) == (604_800, 20, 100_000)
        assert (spec.max_cost, spec.allowed_tools) == ("2.50", ("kb_search",))

    @pytest.mark.parametrize(
        ("head", "said"),
        [
            ("version: 1\n", "1:1: The key `workflow` is missing. Add `workflow:`."),
            ("workflow: w\n", "1:1: The key `version` is missing. Add `version:`."),
            ("workflow: [w]\nversion: 1\n", "1:11: `workflow` must be a text, not a list."),
            ("workflow: two words\nversion: 1\n", "1:11: `workflow` cannot be `two words`."),
            ("workflow: undo:w\nversion: 1\n", "1:11: `workflow` cannot be `undo:w`."),
            ("workflow: w\nversion:\n", "2:1: `version` must be a text, not nothing."),
            (HEAD + "deadline: soon\n", "3:11: `deadline` must be a duration, not `soon`. Write 30s, 5m, 2h or PT5M."),
            (HEAD + "deadline: 9000d\n", "3:11: `deadline` is longer than a year."),
            (HEAD + "deadline: 0s\n", "3:11: `deadline` must be a duration, not `0s`."),
            (HEAD + "max_cost: -1\n", "3:11: `max_cost` must be an amount such as 2.50, not `-1`."),
            (HEAD + "max_cost: 0.00\n", "3:11: `max_cost` must be an amount such as 2.50, not `0.00`."),
            (HEAD + "max_steps: 1.5\n", "3:12: `max_steps` must be a whole number from 1 to 1000000000, not `1.5`."),
            (HEAD + "max_steps: 010\n", "3:12: `max_steps` must be a whole number"),
            (HEAD + "max_cost: 02.50\n", "3:11: `max_cost` must be an amount such as 2.50"),
            (HEAD + "max_steps: '5'\n", "3:12: `max_steps` must be a whole number"),
            (
                HEAD + "allowed_tools: kb_search\n",
                "3:16: `allowed_tools` must be a list, not `kb_search`. Write [one, two].",
            ),
            (HEAD + "allowed_tools: [kb_serch]\n", "3:16: There is no tool `kb_serch`. Did you mean `kb_search`?"),
            (HEAD + "allowed_tools: [kb_search, kb_search]\n", "3:28: `kb_search` stands in `allowed_tools` twice."),
            (HEAD + "input: {type: array}\n", "3:8: `input`: it must describe an object."),
            (HEAD + "input: {type: 5}\n", "3:8: `input`: it is no JSON Schema (draft 2020-12) at type"),
            (
                HEAD + "input: {properties: {a: {$ref: 'http://x/y'}}}\n",
                "3:8: `input`: the reference 'http://x/y' leads nowhere",
            ),
            (
                HEAD + "input: {properties: {a: {pattern: '('}}}\n",
                "3:8: `input`: it is no JSON Schema (draft 2020-12) at properties/a/pattern",
            ),
            (
                HEAD + "input: {$ref: '#'}\n",
                "3:8: `input`: the reference '#' leads round in a circle; judging a value by it would never end",
            ),
            (
                HEAD
                + "input: {properties: {a: {$ref: '#/$defs/b'}}, $defs: {b: {anyOf: [{not: {$ref: '#/$defs/b'}}]}}}\n",
                "3:8: `input`: the reference '#/$defs/b' leads round in a circle",
            ),
            (HEAD + "output: {required: [sum]}\ninput: {}\n", "3:9: Nothing supplies the output `sum`."),
            (HEAD + "returns: 5\n", "3:10: `returns` must be a mapping, not `5`."),
            (HEAD + INPUT + "returns: {sum: '${amont}'}\n", "4:19: Unknown name `amont`. Did you mean `amount`?"),
        ],
    )
    def test_refuses_what_it_cannot_mean(self, head: str, said: str) -> None:
        assert f"w.yaml:{said}" in "\n".join(errors(steps("a: {agent: policy_checker}", head=head)))


class TestInput:
    def test_may_hold_what_is_made_like_itself(self) -> None:
        schema = "{properties: {part: {$ref: '#'}, parts: {type: array, items: {$ref: '#/properties/part'}}}}"

        spec = workflow("a: {agent: freelancer}", head=HEAD + f"input: {schema}\n")

        assert spec.input_schema is not None


class TestErrors:
    def test_come_all_at_once_in_the_order_of_the_file(self) -> None:
        text = SUPPORT_CASE.replace("trigger", "triger").replace("4000", "lots").replace("0.92", "92")

        assert [error.split(":")[1] for error in errors(text)] == ["3", "7", "8"]

    def test_carry_the_path(self) -> None:
        with pytest.raises(WorkflowErrors) as caught:
            read(SUPPORT_CASE.replace("4000", "lots"))

        (error,) = caught.value.errors
        assert (error.file, error.line, error.column, error.path) == ("w.yaml", 7, 51, "steps.draft.token_budget")

    def test_are_one_line_each_whatever_the_file_holds(self) -> None:
        told = errors(HEAD + 'steps: []\n"a\\nb": 1\n')

        assert "Unknown key `a\\u000ab`" in told[1]
        assert all("\n" not in line for line in told)

    def test_say_what_is_missing_when_there_is_no_catalogue(self) -> None:
        with pytest.raises(WorkflowErrors) as caught:
            parse(steps("a: {agent: x}"), file="w.yaml", catalogue=Catalogue())

        assert "is agents.json beside the workflow?" in str(caught.value)


class TestLoad:
    @pytest.mark.parametrize("name", ["reconciliation", "support_case_resolution"])
    def test_reads_the_examples(self, name: str) -> None:
        assert load(EXAMPLES / name).workflow == name

    def test_names_the_place_where_a_file_is_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / "workflow.yaml").write_bytes(b"workflow: w\nversion: \xff\n")

        with pytest.raises(WorkflowErrors, match=r"workflow\.yaml:2:10: The file is not UTF-8\. Save it as UTF-8\."):
            load(tmp_path)

    def test_says_when_there_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(WorkflowErrors, match=r"workflow\.yaml:1:1: The file cannot be read"):
            load(tmp_path)


class TestWhatPeopleRead:
    def test_is_a_text_over_what_the_step_sees(self) -> None:
        spec = workflow(
            "draft: {agent: response_writer}",
            'sign: {required: 1, ask: "Refund EUR ${refund_amount} to ${case_id}?"}',
            head=HEAD + 'about: "${case_id}"\n' + INPUT,
        )
        assert (spec.about, spec.step("sign").ask) == ("${case_id}", "Refund EUR ${refund_amount} to ${case_id}?")
        assert WorkflowSpec.from_json(spec.to_json()) == spec

    def test_is_refused_where_it_names_what_is_not_there(self) -> None:
        sign = 'sign: {required: 1, ask: "Refund ${amout}?"}'
        assert any("amout" in said and "`amount`" in said for said in errors(steps(sign, head=HEAD + INPUT)))
        head = HEAD + 'about: "${refund_amount}"\n' + INPUT
        said = errors(steps("draft: {agent: response_writer}", head=head))
        assert any(one.startswith("w.yaml:3:") and "refund_amount" in one for one in said)

    def test_is_asked_of_people_only(self) -> None:
        said = errors(steps('draft: {agent: response_writer, ask: "May I?"}'))
        assert any("`ask`" in one and "a step people approve" in one for one in said)


class TestALineForPeople:
    @pytest.mark.parametrize(
        ("amount", "line"), [(1140.0, "EUR 1140"), (89.9, "EUR 89.9"), ("7.10", "EUR 7.10"), (0, "EUR 0")]
    )
    def test_spells_whole_numbers_as_people_do(self, amount: object, line: str) -> None:
        assert say("EUR\n ${amount}", {"amount": "dyn"}, {"amount": amount}) == line

    def test_is_no_longer_than_a_headline(self) -> None:
        assert say("Pay ${x} EUR 125", {"x": "dyn"}, {"x": "é" * 999}) == f"Pay {'é' * 59}… EUR 125"
        assert say(f"{'é' * 191} EUR ${{x}}", {"x": "dyn"}, {"x": "12500"}) == f"{'é' * 191} EUR 125…"

    def test_needs_its_values(self) -> None:
        with pytest.raises(NoValue):
            say("${x}", {"x": "dyn"}, {"x": None})
