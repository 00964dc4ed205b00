"""Every key of a workflow file, with its reader and the field of the spec it becomes. schema.json says the same."""

from typing import Any, Final

from orchestrator.workflows.errors import At
from orchestrator.workflows.fields import (
    KEY,
    NAME,
    VERSION,
    WORKFLOW,
    Reader,
    condition,
    duration,
    expression,
    flag,
    listed,
    money,
    number,
    schema,
    text,
    values,
    whole,
)
from orchestrator.workflows.retry_fields import retry
from orchestrator.workflows.tree import Node

LARGEST_COUNT: Final = 1_000_000_000

_tools = listed(text(NAME, example="Write the names of tools: [kb_search]"))
_keys = listed(text(KEY, 63, example="Write the keys of steps: [draft]"))


def _steps(node: Node, at: At) -> Node:
    """Read apart: a step is more than a value."""
    return node


WORKFLOW_KEYS: Final[dict[str, Reader]] = {
    "workflow": text(WORKFLOW, example="Letters, digits and _ . - as in support_case, and no undo: in front"),
    "version": text(VERSION, 40, example="Write a version such as 1.0.0", numbers=True),
    "description": text(longest=2_000),
    "trigger": text(),
    "about": text(),
    "input": schema,
    "output": schema,
    "returns": values,
    "deadline": duration,
    "max_steps": whole(1, LARGEST_COUNT),
    "max_tokens": whole(1, LARGEST_COUNT),
    "max_cost": money,
    "allowed_tools": _tools,
    "steps": _steps,
}

STEP_KEYS: Final[dict[str, Reader]] = {
    "agent": text(NAME, example="Write the name of an agent"),
    "tool": text(NAME, example="Write the name of a tool"),
    "with": values,
    "needs": _keys,
    "when": condition,
    "retry": retry,
    "timeout": duration,
    "on_error": text(KEY, 63, example="Write fail, route_to_human or the key of a fallback step"),
    "min_score": number(0, 1),
    "token_budget": whole(1, LARGEST_COUNT),
    "max_cost": money,
    "human_if": listed(condition),
    "ask": text(),
    "required": whole(1, 2),
    "checks": listed(text()),
    "idempotency_key": expression,
    "reconcile_before_retry": flag,
    "compensate_with": text(NAME, example="Write the name of a tool"),
    "allowed_tools": _tools,
    "output": schema,
    "non_empty": listed(text()),
    "offline": flag,
}

# Which kind of step a key is for; what is not listed is for all. Said in words, because people read it as an error.
ONLY_FOR: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("min_score", "token_budget", "max_cost", "allowed_tools", "offline"), ("agent",)),
    **dict.fromkeys(("idempotency_key", "compensate_with"), ("tool",)),
    **dict.fromkeys(("human_if", "required", "ask", "checks"), ("approval",)),
    **dict.fromkeys(
        ("with", "retry", "timeout", "on_error", "reconcile_before_retry", "output", "non_empty"), ("agent", "tool")
    ),
}

# Fields of the spec whose key in the file is shorter.
_FIELDS: Final = {
    "input": "input_schema",
    "output": "output_schema",
    "deadline": "deadline_seconds",
    "timeout": "timeout_seconds",
}


def fields_of(said: dict[str, Any]) -> dict[str, Any]:
    """Read values by the names of the spec's fields."""
    apart = {"with", "steps"}
    return {_FIELDS.get(name, name): value for name, value in said.items() if name not in apart}
