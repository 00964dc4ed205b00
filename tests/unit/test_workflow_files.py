"""Files around a workflow: broken contracts, the published JSON Schema, and `manage.py validate`."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from orchestrator.workflows.catalogue import catalogue_from_folder
from orchestrator.workflows.keys import STEP_KEYS, WORKFLOW_KEYS
from orchestrator.workflows.parse import WorkflowErrors
from orchestrator.workflows.retry_fields import BACKOFF_KEYS, RETRIABLE, RETRY_KEYS, RULE_KEYS
from tests.unit.workflow_world import SUPPORT_CASE, read

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "orchestrator/workflows/schema.json").read_text(encoding="utf-8"))
DEFS = SCHEMA["$defs"]


def complaints(folder: Path) -> str:
    with pytest.raises(WorkflowErrors) as caught:
        catalogue_from_folder(folder)
    return str(caught.value)


class TestContracts:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "tools.json:1:1: The file must hold a list."),
            ('[\n  {"name": "a"},\n  {"name": }]', "tools.json:3:12: This is not JSON: Expecting value."),
            ("[1]", "tools.json:1:2: Item 1: it must be an object."),
            ('[{"name": "a"},\n {"version": "1"}]', "tools.json:2:2: Item 2: it has no name."),
            (
                '[{"name": "a"},\n {"name": "a"}]',
                "tools.json:2:2: Item 2 (a): the name is taken by the item on line 1.",
            ),
            ('[{"name": "a", "version": 1}]', "Item 1 (a): `version` must be a text."),
            ('[{"name": "a", "effect": "writes"}]', "Item 1 (a): `effect` cannot be 'writes'. Did you mean `write`?"),
            ('[{"name": "a", "tier": "vip"}]', "Item 1 (a): `tier` cannot be 'vip'. Known: `customer_facing`"),
            ('[{"name": "a", "idempotency_class": "D"}]', "Item 1 (a): `idempotency_class` cannot be 'D'."),
            ('[{"name": "a", "input_schema": {"type": "objct"}}]', "Item 1 (a): `input_schema`: it is no JSON Schema"),
            (
                '[{"name": "a", "output_schema": {"$ref": "#/$defs/x"}}]',
                "`output_schema`: the reference '#/$defs/x' leads nowhere",
            ),
            ('[{"name": "a", "input_schema": 5}]', "`input_schema`: it is not a JSON Schema object"),
            ("[" * 100_000, "Nested too deeply"),
            (
                '[{"name": "a"},\n {"name": "b", "effect": "write", "effect": "read"}]',
                "tools.json:2:2: Item 2: The key 'effect' appears twice in one object. Correct the item.",
            ),
            ('[{"name": "a", "owner": NaN}]', "tools.json:1:2: Item 1: NaN is not JSON."),
            ('[{"name": "a", "owner": 1e400}]', "Item 1: /0/owner: NaN and Infinity are not JSON."),
            ('[{"name": "a", "owner": ' + "9" * 5_000 + "}]", "Item 1: An integer is beyond 2^53; send it as text."),
            ('[{"name": "a\\u0000"}]', "Item 1: Text holds the character U+0000, which cannot be stored."),
            ('[{"name": ' + "[" * 39 + "]" * 39 + "}]", "Item 1: Nested deeper than 40 levels."),
        ],
    )
    def test_are_refused_by_file_and_item(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "tools.json").write_text(text, encoding="utf-8")

        assert said in complaints(tmp_path)

    def test_may_begin_with_one_byte_order_mark(self, tmp_path: Path) -> None:
        (tmp_path / "tools.json").write_text('\ufeff[{"name": "a"}]', encoding="utf-8")

        assert set(catalogue_from_folder(tmp_path).tools) == {"a"}

    def test_are_refused_in_both_files_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "tools.json").write_bytes(b"\xff")
        (tmp_path / "agents.json").write_text('[{"name": "a", "allowed_tools": "x"}]', encoding="utf-8")

        told = complaints(tmp_path)

        assert "tools.json:1:1: The file is not UTF-8 (byte 0)" in told
        assert "agents.json:1:2: Item 1 (a): `allowed_tools` must be a list of names" in told


class TestManual:
    def test_shows_only_workflows_that_parse(self) -> None:
        blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/workflows.md").read_text(encoding="utf-8"), re.DOTALL)

        assert [read(block).workflow for block in blocks] == ["support_case_resolution", "refund"]
        assert blocks[0] == SUPPORT_CASE

    def test_names_every_key(self) -> None:
        text = (ROOT / "docs/workflows.md").read_text(encoding="utf-8")

        missing = [
            key
            for key in {**WORKFLOW_KEYS, **STEP_KEYS, **RETRY_KEYS, **BACKOFF_KEYS}
            if not re.search(rf"\b{key}\b", text)
        ]
        assert missing == []


class TestSchema:
    def test_knows_exactly_the_keys_of_the_parser(self) -> None:
        assert set(SCHEMA["properties"]) == set(WORKFLOW_KEYS)
        assert set(DEFS["step"]["properties"]) == set(STEP_KEYS)
        assert set(DEFS["retry"]["properties"]) == set(RETRY_KEYS)
        assert set(DEFS["retry_rule"]["properties"]) == set(RULE_KEYS)
        assert set(DEFS["backoff"]["oneOf"][1]["properties"]) == set(BACKOFF_KEYS)
        assert set(DEFS["retry"]["properties"]["by_class"]["properties"]) == set(RETRIABLE)

    def test_is_a_schema_that_describes_every_key(self) -> None:
        Draft202012Validator.check_schema(SCHEMA)

        keys = {**SCHEMA["properties"], **DEFS["step"]["properties"]}
        described = {name for name, said in keys.items() if "description" in {**DEFS.get(name, {}), **said}}
        assert set(keys) - described == {"steps"} - described

    @pytest.mark.parametrize("name", ["reconciliation", "support_case_resolution"])
    def test_takes_the_examples(self, name: str) -> None:
        text = (ROOT / "examples" / name / "workflow.yaml").read_text(encoding="utf-8")

        Draft202012Validator(SCHEMA).validate(YAML(typ="safe", pure=True).load(text))

    @pytest.mark.parametrize(
        "change",
        [
            {"triger": "x"}, {"steps": []}, {"steps": ["a"]}, {"steps": [{"a": {}, "b": {}}]}, {"steps": [{"a-b": {}}]},
            {"steps": [{"a": {"min_score": 2}}]}, {"steps": [{"a": {"retry": {"max_attempts": 0}}}]},
            {"steps": [{"a": {"retry": {"by_class": {"business": {}}}}}]}, {"steps": [{"a": {"required": 3}}]},
            {"steps": [{"a": {"required": 0}}]},
            {"steps": [{"a": {"needs": "b"}}]}, {"max_cost": "-1"}, {"deadline": 0}, {"input": {"type": "array"}},
        ],
    )  # fmt: skip
    def test_refuses_what_the_parser_refuses(self, change: dict[str, Any]) -> None:
        data = {"workflow": "w", "version": "1", "steps": [{"a": {"agent": "x"}}], **change}

        assert not Draft202012Validator(SCHEMA).is_valid(data)

    @pytest.mark.parametrize(
        ("key", "reader", "schema"),
        [
            ("version: v 1", False, False), ("version: -1", False, False), ("version: null", False, False),
            ("version: true", False, False), ("version: 1.10", True, True), ("version: v1+b", True, True),
            ("workflow: true", False, False), ("workflow: 5", False, False), ("workflow: '5'", True, True),
            ("workflow: undo:w", False, False), ("workflow: undoing", True, True),
            ("description: null", False, False), ("description: 5", False, False), ("description: ' '", False, False),
            ("description: .inf", False, False), ("about: .nan", False, False), ("version: 1e3", True, True),
            ("about: ~", False, False), ("trigger: 1e3", False, False), ("trigger: 'null'", True, True),
            ("deadline: soon", False, False), ("deadline: PT", False, False), ("deadline: P1DT", False, False),
            ("deadline: 0s", False, False), ("deadline: '0'", False, False), ("deadline: 0.5", True, True),
            ("deadline: '30'", True, True), ("deadline: 1h30m", True, True), ("deadline: 500ms", True, True),
            ("deadline: pt1h", True, True), ("deadline: P1WT1.5S", True, True), ("deadline: 9000d", False, True),
            ("max_cost: '0'", False, False), ("max_cost: '0.00'", False, False), ("max_cost: '0.01'", True, True),
            ("allowed_tools: ['bad name']", False, False), ("allowed_tools: [kb_serch]", False, True),
            ("allowed_tools: [null]", False, False), ("allowed_tools: [kb_search]", True, True),
            ("steps: [fail: {agent: freelancer}]", False, False), ("steps: [a: ]", False, False),
            ("steps: [route_to_human: {agent: freelancer}]", False, False),
            ("steps: [a: {agent: freelancer, tool: kb_search}]", False, False),
            ("steps: [a: {agent: bad name}]", False, False), ("steps: [a: {agent: null}]", False, False),
            ("steps: [a: {agent: freelancer, timeout: PT}]", False, False),
            ("steps: [a: {agent: freelancer, on_error: fail}]", True, True),
            ("steps: [a: {agent: freelancer, when: yes}]", False, False),
            ("steps: [a: {agent: freelancer, when: 'Off'}]", False, False),
            ("steps: [a: {agent: freelancer, when: true}]", True, True),
            ("steps: [a: {agent: freelancer, when: 'on == 1'}]", True, True),
            ("steps: [a: {human_if: [no]}]", False, False), ("steps: [a: {human_if: [nothing]}]", True, True),
            ("steps: [a: {required: 1, ask: null}]", False, False), ("steps: [a: {required: 1, ask: 5}]", False, False),
            ("steps: [a: {required: 1, checks: [null]}]", False, False),
            ("steps: [a: {required: 1, checks: [true]}]", False, False),
            ("steps: [a: {tool: crm.revert_case, case_id: C, idempotency_key: 5}]", True, True),
            ("steps: [a: {tool: crm.revert_case, case_id: C, idempotency_key: no}]", True, True),
            ("steps: [a: {tool: crm.revert_case, case_id: C, compensate_with: a b}]", False, False),
            ("steps: [a: {agent: freelancer, non_empty: ['a b']}]", True, True),
            ("steps: [a: {agent: freelancer, non_empty: [1]}]", False, False),
        ],
    )  # fmt: skip
    def test_agrees_with_the_parser_as_far_as_one_key_tells(self, key: str, reader: bool, schema: bool) -> None:
        keys = {"workflow": "workflow: w", "version": "version: 1", "steps": "steps: [a: {agent: freelancer}]"}
        text = "\n".join({**keys, key.partition(":")[0]: key}.values())
        try:
            read(text)
        except WorkflowErrors:
            reads = False
        else:
            reads = True

        fits = Draft202012Validator(SCHEMA).is_valid(YAML(typ="safe", pure=True).load(text))

        assert (reads, fits) == (reader, schema)


class TestValidate:
    def run(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("validate", *arguments, stdout=out, stderr=out)
        except SystemExit as end:
            return int(str(end.code)), out.getvalue()
        return 0, out.getvalue()

    def test_says_ok_for_every_file_below_a_folder(self) -> None:
        code, said = self.run(str(ROOT / "examples"))

        assert code == 0
        assert "reconciliation/workflow.yaml: ok, reconciliation 1.0.0 with 6 steps\n" in said
        assert (
            "support_case_resolution/workflow.yaml: ok, support_case_resolution 1.3.2 with 6 steps; "
            "takes from the trigger: case_id, customer, message\n"
        ) in said

    def test_prints_every_mistake_on_a_line_and_ends_with_one(self, tmp_path: Path) -> None:
        (tmp_path / "workflow.yaml").write_text(SUPPORT_CASE.replace("trigger", "triger"), encoding="utf-8")
        agent = {"name": "intake_classifier", "owner": "ada", "unit": "support"}
        (tmp_path / "agents.json").write_text(json.dumps([agent]), encoding="utf-8")

        code, said = self.run(str(tmp_path), str(ROOT / "examples" / "reconciliation"))

        lines = said.splitlines()
        assert code == 1
        assert lines[0] == f"{tmp_path}/workflow.yaml:3:1: Unknown key `triger`. Did you mean `trigger`?"
        assert "workflow.yaml:6:22: There is no tool `kb_search`." in lines[1]
        assert lines[-1].endswith("ok, reconciliation 1.0.0 with 6 steps")

    def test_shows_broken_contracts_too(self, tmp_path: Path) -> None:
        (tmp_path / "workflow.yaml").write_text(SUPPORT_CASE, encoding="utf-8")
        (tmp_path / "tools.json").write_text("[1]", encoding="utf-8")

        assert self.run(str(tmp_path)) == (
            1, f"{tmp_path}/tools.json:1:2: Item 1: 1 is not of type 'object'. Correct the value.\n",
        )  # fmt: skip

    def test_says_when_there_is_nothing_to_check(self, tmp_path: Path) -> None:
        assert self.run(str(tmp_path))[0] == 1
        assert "Name a workflow file" in self.run()[1]

    def test_prints_the_schema(self) -> None:
        code, said = self.run("--schema")

        assert (code, json.loads(said)) == (0, SCHEMA)
