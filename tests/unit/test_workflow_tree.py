"""YAML read strictly: what is refused before it means anything, and that no text whatever breaks the parser."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.workflows.errors import At, Report
from orchestrator.workflows.keys import STEP_KEYS, WORKFLOW_KEYS
from orchestrator.workflows.parse import WorkflowErrors, parse
from orchestrator.workflows.spec import WorkflowSpec
from orchestrator.workflows.tree import DEEPEST, read_tree, to_json
from tests.unit.workflow_world import CATALOGUE, SUPPORT_CASE, errors, steps, workflow

RECONCILIATION = (Path(__file__).parents[2] / "examples/reconciliation/workflow.yaml").read_text(encoding="utf-8")


def value(text: str) -> Any:
    report = Report("w.yaml")
    found = to_json(read_tree(text, report), At(report))
    report.stop_if_wrong()
    return found


class TestTree:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("1.3.2", "1.3.2"),
            ("[1, -2, 0x1F, 0o17, 1.5, 1e3, .5]", [1, -2, 31, 15, 1.5, 1000.0, 0.5]),
            ("[true, False, null, ~, '']", [True, False, None, None, ""]),
            ("[yes, no, on, 2026-01-01, 1_000]", "as texts"),
            ("{a: 'b', 1: c, null: d}", {"a": "b", "1": "c", "null": "d"}),
            ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
            ("\ufeffa: ünï", {"a": "ünï"}),
            ("a: 10\u202f000\u00a0€ ⚠\ufe0f", {"a": "10\u202f000\u00a0€ ⚠\ufe0f"}),
            (
                "{description: a\u200cb, ask: '\u200d', about: \u200c}",
                {"description": "a\u200cb", "ask": "\u200d", "about": "\u200c"},
            ),
        ],
    )
    def test_has_the_values_of_yaml_1_2_and_no_others(self, text: str, expected: Any) -> None:
        if expected == "as texts":
            expected = text.strip("[]").split(", ")

        assert value(text) == expected

    def test_reads_json(self) -> None:
        data = {"a": [1, 2.5, True, None, 'x\n"y"\'z'], "b": {"c": []}}

        assert value(json.dumps(data)) == data


class TestRefusal:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "1:1: The file is empty. Start with `workflow: name`."),
            ("# only a comment\n", "1:1: The file is empty."),
            ("- a\n", "1:1: A workflow is a mapping, not a list."),
            ("workflow", "1:1: A workflow is a mapping, not `workflow`."),
            ("a: b: c", "1:5: This is not YAML: mapping values are not allowed here."),
            (
                "a:\n\t- b",
                "2:1: This is not YAML: found character '\\t' that cannot start any token. Indent with spaces",
            ),
            ("a: {b: ${c}}", 'Inside `{…}` and `[…]` an expression needs quotes: "${name}".'),
            ("a: 'b", "This is not YAML: found unexpected end of stream."),
            ("a: 1\nb: 2\na: 3\n", "3:1: The key `a` stands here again; it is already on line 1. Keep one of the two."),
            ("a: {b: 1, 'b': 2}", "1:11: The key `b` stands here again; it is already on line 1."),
            ("a: &x 1\nb: *x\n", "1:4: Anchors and aliases are not allowed."),
            ("a: *x\n", "1:4: Anchors and aliases are not allowed."),
            ("a: !!python/object:os.system {}\n", "1:4: Tags (`!name`) are not allowed."),
            ("a: !!str 5\n", "1:4: Tags (`!name`) are not allowed."),
            ("a:\n  <<: {b: c}\n", "2:3: Merge keys (`<<`) are not allowed."),
            ("[a]: b\n", "1:1: A key must be a text, not a list."),
            ("a: 1\n---\nb: 2\n", "2:1: A second document starts here. One file holds one workflow."),
            ("a: b\0c", "1:5: the character U+0000 is not allowed in a workflow file. Remove it."),
            ("a: 1\nb: x\u202ey", "2:5: the character U+202E (it reverses text) is not allowed"),
            ("a: \ud800", "1:4: the character U+D800 is not allowed"),
            ("a: x\x07", "1:5: the character U+0007 is not allowed"),
            ('a: "\\0"', "1:4: The text holds the character U+0000. Remove the escape."),
            ('a: "\\u202e"', "1:4: The text holds the character U+202E (it reverses text)."),
            (
                "a: x\u200by",
                "1:5: the character U+200B (it cannot be seen) is not allowed in a workflow file. Remove it.",
            ),
            ("a: 'VIP\u00ad'", "1:8: the character U+00AD (it cannot be seen)"),
            ("a: x\u2060", "1:5: the character U+2060 (it cannot be seen)"),
            ("a: x\U000e0041", "1:5: the character U+E0041 (it cannot be seen)"),
            ("a: x\u3164", "1:5: the character U+3164 (it cannot be seen)"),
            ("# \u200b", "1:3: the character U+200B"),
            ('a: "\\u200b"', "1:4: The text holds the character U+200B (it cannot be seen). Remove the escape."),
            (
                "ab\u00a0c: 1",
                "1:3: the character U+00A0 (a blank that is no space) is not allowed in a key. Remove it.",
            ),
            ("a: {'b\u202f': 1}", "1:7: the character U+202F (a blank that is no space) is not allowed in a key."),
            ("a\ufe0f: 1", "1:2: the character U+FE0F (it cannot be seen) is not allowed in a key."),
            ("a: 'x\u200dy'", "1:6: the character U+200D (it cannot be seen) is not allowed in a text that is not for"),
            (
                "a: [x, \u200c]",
                "1:8: the character U+200C (it cannot be seen) is not allowed in a text that is not for",
            ),
            ("[" * (DEEPEST + 1), f"1:{DEEPEST + 1}: Nested deeper than {DEEPEST} levels."),
            ("{a: " * 5_000, f"Nested deeper than {DEEPEST} levels."),
            ("a: " + "x" * 300_000, "1:1: The file has 292 KB; the limit is 256 KB."),
            ("%YAML 9.9\n---\na: 1", "This is not YAML"),
        ],
    )
    def test_says_where_and_why(self, text: str, said: str) -> None:
        assert said in errors(text)[0]


class TestAnExpression:
    @pytest.mark.parametrize("character", ["\u00a0", "\u2003", "\u3000", "\ufe0f"])
    @pytest.mark.parametrize(
        ("line", "column"),
        [
            ("a: {human_if: [\"tier == 'VIP{0}'\"]}", 33),
            ("a: {human_if: [tier =={0}'VIP']}", 27),
            ("a: {agent: freelancer, when: \"tier == 'VIP{0}'\"}", 47),
            ("a: {agent: freelancer, note: \"x ${tier == 'VIP{0}'}\"}", 51),
            ("a: {tool: crm.revert_case, case_id: x, idempotency_key: \"case_id + 'C{0}'\"}", 74),
        ],
    )
    def test_holds_nothing_that_only_looks_like_a_space(self, line: str, column: int, character: str) -> None:
        told = errors(steps(line.replace("{0}", character)))

        assert f"w.yaml:4:{column}: the character U+{ord(character):04X} (" in told[0]
        assert ") is not allowed in an expression. Remove it, or type a space." in told[0]


class TestANumber:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("9007199254740993", "is too large to be exact everywhere"),
            ("1e18", "is too large to be exact everywhere"),
            ("-9007199254740992.0", "is too large to be exact everywhere"),
            ("1e21", "is too large to be exact everywhere"),
            ("12345678901234567890.12", "is too large to be exact everywhere"),
            ("0.12345678901234567890", "would be rounded to 0.12345678901234568"),
            ("1e400", "is no number that can be kept"),
            ("-.Inf", "is no number that can be kept"),
            (".nan", "is no number that can be kept"),
            ("1e-400", "would be rounded to 0.0"),
            ("0123", "would be read as 123"),
            ("-007.50", "would be read as -7.5"),
        ],
    )
    def test_that_would_not_stay_as_it_is_written_belongs_into_quotes(self, text: str, said: str) -> None:
        assert errors(steps(f"a: {{agent: freelancer, x: {text}}}")) == [
            f"w.yaml:4:31: {text} {said}. Put it in quotes, as a text."
        ]
        assert workflow(f"a: {{agent: freelancer, x: '{text}'}}").step("a").arguments == {"x": text}

    def test_is_looked_at_wherever_it_stands(self) -> None:
        told = errors(
            steps(
                "a: {agent: freelancer, with: {x: [01]}, when: off}",
                "b: {tool: kb_search, query: x, corpus: y, tags: ['${z}', {deep: 02}]}",
                head="workflow: w\nversion: 1\nreturns: {n: 03}\ninput: {properties: {z: {default: 04}}}\n",
            )
        )

        assert [error.split()[1] for error in told] == ["03", "04", "01", "`when`", "02"]

    @pytest.mark.parametrize("text", ["9007199254740992", "0", "-0.0", "0.10", "1.50", "1e3", "9007199254740991.0"])
    def test_that_stays_as_it_is_written_needs_none(self, text: str) -> None:
        assert workflow(f"a: {{agent: freelancer, x: {text}}}").step("a").arguments == {"x": float(text)}


# --- fuzz: whatever the text, a spec or WorkflowErrors -----------------------------------------------------------

_FRAGMENTS = st.sampled_from(
    [
        *WORKFLOW_KEYS, *STEP_KEYS, "  ", "\n", "\n  - ", ": ", "{", "}", "[", "]", ",", "'", '"', "${", "$${", "}",
        "|\n", ">-\n",
        "&a ", "*a", "!!x ", "<<: ", "? ", "- ", "#", "%", "---\n", "\t", "\r", "\0", "\u202e", "\ud800", "\ufeff", "1e999", "-1",
        "0x", "1.3.2", "steps.a.b", "input.x", "amount > 5", "size(", "5m", "null", "~", "'a' +", "fail", "route_to_human", "😀",
    ]
)  # fmt: skip


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from([SUPPORT_CASE, RECONCILIATION]))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        text = text[:start] + draw(_FRAGMENTS) + text[end:]
    return text


_NAMES = st.sampled_from(
    ["a", "b", "c", "x", "amount", "query", "steps", "input", "type", "in", "kb_search", "freelancer", "policy_checker"]
)
_EXPRESSIONS = st.sampled_from(
    ["a > 1", "steps.a.b", "${query}", "x ${a.b} y", "${", "true", "size(a)", "a = b", "1 +", "steps.zz.y == 1", "'",
     "confidense < 1"]
)  # fmt: skip
_LEAVES = st.one_of(
    _NAMES, _EXPRESSIONS, st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=5),
    st.sampled_from(["5m", "PT1H", "fail", "route_to_human", {"type": "object"}, {"$ref": "#"}, {"pattern": "("}]),
)  # fmt: skip
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3), max_leaves=6
)
_STEP = st.dictionaries(st.sampled_from([*STEP_KEYS, "query", "corpus", "tmeout"]), _VALUES, max_size=5)
_STEPS = st.lists(st.dictionaries(_NAMES, _STEP, min_size=1, max_size=1), max_size=5)
_FILES = st.fixed_dictionaries(
    {"workflow": st.just("w") | _VALUES, "version": st.just("1") | _VALUES, "steps": _STEPS | _VALUES},
    optional={key: _VALUES for key in WORKFLOW_KEYS if key not in {"workflow", "version", "steps"}},
)


def _parses_or_explains(text: str) -> None:
    try:
        spec = parse(text, file="w.yaml", catalogue=CATALOGUE)
    except WorkflowErrors as refused:
        told = [str(error) for error in refused.errors]
        lines = text.count("\n") + text.count("\r") + 2
        sound = all(1 <= error.line <= lines and error.column >= 1 and error.message for error in refused.errors)
    else:
        told, sound = ["fine"], WorkflowSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert told
    assert sound
    assert all("\n" not in line for line in told)


class TestAnyText:
    @given(st.text(max_size=200))
    def test_is_parsed_or_explained(self, text: str) -> None:
        _parses_or_explains(text)

    @given(st.lists(_FRAGMENTS, max_size=40).map("".join))
    def test_of_yaml_like_fragments_is_parsed_or_explained(self, text: str) -> None:
        _parses_or_explains(text)

    @settings(max_examples=200)
    @given(_mutated())
    def test_near_a_real_workflow_is_parsed_or_explained(self, text: str) -> None:
        _parses_or_explains(text)

    @settings(max_examples=200)
    @given(_FILES)
    @example({"workflow": "w", "version": "1", "steps": [{"a": {"agent": "freelancer", "when": "in > 1"}}]})
    def test_with_the_right_keys_is_parsed_or_explained(self, data: dict[str, Any]) -> None:
        _parses_or_explains(json.dumps(data))
