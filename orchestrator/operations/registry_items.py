"""One item of tools.json, agents.json or policies.json: what it may hold, and the columns it becomes.

A check (`check_...`) asks no database, so that `manage.py validate` asks it too; what has to exist is asked with the columns.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from jsonschema.exceptions import SchemaError

from approvals import vocabulary
from approvals.models import ApprovalPolicy, ReasonCode, StepUp
from approvals.quorum import Need
from approvals.rules import references
from approvals.rules.policies import LONGEST_SECONDS
from audit.conditions import POLICY_VARIABLES, BadCondition, compile_expression
from audit.definitions import DefinitionStatus
from budgets.models import BusinessUnit
from orchestrator.models import Agent, Tool
from orchestrator.models.definition import names_hosts
from orchestrator.workflows.broken_rules import in_short
from orchestrator.workflows.catalogue import idle_undo
from orchestrator.workflows.schemas import argument_names, check_schema, schema_problems

JSON = dict[str, Any]
# Called with (field, message, remedy) for every error of one item.
Say = Callable[[str, str, str], None]


def _text(length: int, **more: Any) -> JSON:
    return {"type": "string", "maxLength": length, **more}


def _item(required: list[str], properties: JSON) -> JSON:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


# \Z and not $, which lets a line feed at the end through.
NAME = _text(
    200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]*\Z", description="Use letters, digits and _ . : / -, without blanks."
)
# The gate takes whoever is called so for a workflow's own step, which has no contract of its own.
AGENT_NAME = {
    **NAME,
    "pattern": NAME["pattern"].replace("^", "^(?!workflow:)"),
    "description": "Use letters, digits and _ . : / -, without blanks and without workflow: in front.",
}
VERSION = _text(40, pattern=r"^\S(.*\S)?\Z", description="Write a version such as 1.0.0, on one line.")
NAMES = {"type": "array", "items": _text(200, minLength=1), "uniqueItems": True}
SCHEMA = {"type": "object"}
# null in a file is the empty text of the model.
ENTRY = {"type": ["string", "null"], "maxLength": 200, "pattern": r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?\Z"}
OPTIONAL_NAME = {"type": ["string", "null"], "maxLength": 200}
SECONDS = {"type": "integer", "minimum": 1, "maximum": LONGEST_SECONDS}

TOOL = _item(
    ["name", "version", "effect", "tier"],
    {
        "name": NAME,
        "version": VERSION,
        "description": _text(20_000),
        "title": _text(300),
        "input_schema": SCHEMA,
        "output_schema": SCHEMA,
        "effect": {"enum": ["read", "write", "irreversible"]},
        "idempotency_class": {"enum": ["A", "B", "C"]},
        "tier": {"enum": ["informational", "customer_facing", "financial"]},
        "entry": ENTRY,
        "probe": ENTRY,
        "record": ENTRY,
        "business_key": {"type": ["string", "null"], "maxLength": 300},
        "compensate_with": OPTIONAL_NAME,
        "owner": _text(200),
        "runbook": _text(20_000),
        "scopes": NAMES,
        "egress": NAMES,
    },
)

AGENT = _item(
    ["name", "owner", "unit"],
    {
        "name": AGENT_NAME,
        "owner": _text(200, minLength=1),
        "unit": _text(80, minLength=1),
        "description": _text(20_000),
        "runbook": _text(20_000),
        "support": _text(200),
        "data_classification": _text(40),
        "entry": ENTRY,
        "input_schema": SCHEMA,
        "output_schema": SCHEMA,
        "allowed_tools": NAMES,
        "egress": NAMES,
    },
)

NEED = _item(
    ["groups", "count"],
    {
        "groups": {"type": "array", "minItems": 1, "items": _text(80, minLength=1), "uniqueItems": True},
        "count": {"type": "integer", "minimum": 1, "maximum": 20},
    },
)

POLICY = _item(
    ["name", "reason"],
    {
        "name": _text(80, pattern=r"^[A-Za-z0-9_-]+\Z", description="Use letters, digits, _ and -."),
        "unit": {"type": ["string", "null"], "maxLength": 80},
        "tool": _text(200, minLength=1),
        "condition": _text(2_000),
        "verdict": {"enum": ["hold", "deny"]},
        "required": {"type": "integer", "minimum": 0, "maximum": 2},
        "needs": {"type": "array", "maxItems": 20, "items": NEED},
        "checks": {"type": "array", "maxItems": 10, "items": _text(200, minLength=1), "uniqueItems": True},
        "reason_codes": {"type": "array", "items": {"enum": [*ReasonCode.values]}, "uniqueItems": True},
        "step_up": {"enum": [*StepUp.values]},
        "reason": _text(300, minLength=1),
        "decide_within_seconds": SECONDS,
        "use_within_seconds": SECONDS,
        "calendar": OPTIONAL_NAME,
        "on_timeout": {"enum": ["reject", "hold", "escalate"]},
        "escalate_to": OPTIONAL_NAME,
        "second_look_percent": {"type": "integer", "minimum": 0, "maximum": 100},
        "test_items": {"type": "boolean"},
    },
)


def check_tool(item: JSON, say: Say, beside: Mapping[str, JSON]) -> None:
    """What is wrong with a tool by itself, and with the one `beside` it that takes it back."""
    _check_schemas(item, say)
    _check_hosts(item, say)
    _check_business_key(item.get("business_key") or "args", say)
    _check_undo(item, beside.get(item.get("compensate_with") or "", {}).get("effect"), say)


def check_agent(item: JSON, say: Say, _: Mapping[str, JSON]) -> None:
    """What is wrong with an agent by itself."""
    _check_schemas(item, say)
    _check_hosts(item, say)


def check_policy(item: JSON, say: Say, tools: Mapping[str, JSON]) -> None:
    """What is wrong with a policy by itself: its condition has to compile, and to name what its tool has."""
    schema = tools.get(item.get("tool") or "*", {}).get("input_schema")
    _check_condition(item, argument_names(schema or {}), say)
    for field, problem in references.contradictions(
        needs=Need.read(item.get("needs", [])),
        on_timeout=item.get("on_timeout") or "reject",
        escalate_to=item.get("escalate_to") or "",
    ):
        say(field, problem, "Correct the policy.")


def tool_columns(item: JSON, say: Say, beside: set[str]) -> JSON:
    """The columns of a tool; `beside` are the names in the same file."""
    other = item.get("compensate_with")
    known = Tool.objects.active().filter(name=other).first() if other and other not in beside else None
    if known is not None:
        _check_undo(item, known.effect, say)
    elif other and other not in beside:
        say("compensate_with", f"There is no tool {other!r}", "Put it into the same file, or import it first.")
    return _with_defaults(Tool, _given(item))


def agent_columns(item: JSON, say: Say, _: set[str]) -> JSON:
    """The columns of an agent; its owner and unit are found by name."""
    _check_tools(item.get("allowed_tools", []), say)
    owner = get_user_model().objects.filter(username=item["owner"], is_active=True).first()
    if owner is None:
        say("owner", f"There is no active user {item['owner']!r}", "Create the user, or correct the name.")
    found = {"owner_id": owner and owner.pk, "unit_id": _unit_id(item["unit"], say)}
    return _with_defaults(Agent, _given(item, besides=("owner", "unit")) | found)


def policy_columns(item: JSON, say: Say, _: set[str]) -> JSON:
    """The columns of a policy; what it names has to be in force, and its condition to name what its tool has."""
    _check_condition(item, vocabulary.arguments_of(item.get("tool") or "*"), say)
    unit_id = _unit_id(item["unit"], say) if item.get("unit") else None
    for field, problem in references.problems(
        needs=Need.read(item.get("needs", [])), calendar=item.get("calendar") or "", unit_id=unit_id,
        on_timeout=item.get("on_timeout", "reject"), escalate_to=item.get("escalate_to") or "",
    ):  # fmt: skip
        say(field, problem, "Put it in force first, or correct the name.")
    needs = [need.to_json() for need in Need.read(item.get("needs", []))]
    return _with_defaults(ApprovalPolicy, _given(item, besides=("unit",)) | {"unit_id": unit_id, "needs": needs})


def _given(item: JSON, besides: tuple[str, ...] = ()) -> JSON:
    return {name: value for name, value in item.items() if value is not None and name not in besides}


def _with_defaults(model: type[models.Model], columns: JSON) -> JSON:
    """A field the item leaves out counts as its default: removing one from a file is a change like any other."""
    own = {field.attname: field.get_default() for field in model._meta.concrete_fields if field.editable}
    return {name: value for name, value in own.items() if name != "version"} | columns


def _check_undo(item: JSON, effect: str | None, say: Say) -> None:
    if found := idle_undo(item.get("compensate_with") or "", of=item["name"], effect=effect):
        say("compensate_with", *found)


def _check_condition(item: JSON, arguments: frozenset[str] | None, say: Say) -> None:
    try:
        vocabulary.check_names(item.get("condition") or "true", arguments=arguments)
    except BadCondition as error:
        say("condition", str(error), f"It may use {', '.join(sorted(POLICY_VARIABLES))}.")


def _check_business_key(source: str, say: Say) -> None:
    try:
        compile_expression(source, {"args": POLICY_VARIABLES["args"]})
    except BadCondition as error:
        say("business_key", str(error), "It may use args.")


def _check_schemas(item: JSON, say: Say) -> None:
    for name in ("input_schema", "output_schema"):
        try:
            check_schema(item.get(name, {}))
        except SchemaError as error:
            path = ".".join([name, *(str(part) for part in error.path)])
            say(path, f"Not a JSON Schema (draft 2020-12): {in_short(error)}", "Correct the schema.")
            continue
        for problem in schema_problems(item.get(name, {})):
            say(name, f"{problem[0].upper()}{problem[1:]}", "Write what it refers to into the schema itself.")


def _check_hosts(item: JSON, say: Say) -> None:
    try:
        names_hosts(item.get("egress", []))
    except ValidationError as error:
        problem, _, remedy = error.messages[0].partition(". ")
        say("egress", problem, remedy)


def _check_tools(names: list[str], say: Say) -> None:
    known = set(Tool.objects.values_list("name", flat=True))
    for name in names:
        if name != "*" and name not in known:
            close = get_close_matches(name, known, n=1)
            remedy = f"Did you mean {close[0]}?" if close else "Import the tool first."
            say("allowed_tools", f"There is no tool {name!r}", remedy)


def _unit_id(name: str, say: Say) -> UUID | None:
    unit = BusinessUnit.objects.filter(name=name).exclude(status=DefinitionStatus.RETIRED).first()
    if unit is None:
        say("unit", f"There is no business unit {name!r}", "Create the unit first, or correct the name.")
    return unit.pk if unit else None
