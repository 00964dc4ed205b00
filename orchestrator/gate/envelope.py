"""The task envelope: what whoever starts an execution says about it, and the people they want asked beyond the policies."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from approvals.rules.policies import NOBODY_ASKS, Requirement, reason_where
from audit.conditions import POLICY_VARIABLES, BadCondition, compile_condition

ENVELOPE_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "trace_id": {"type": "string", "format": "uuid"},
        "task_id": {"type": "string", "maxLength": 200},
        "workflow_version": {"type": "string", "maxLength": 40},
        "business_key": {"type": "string", "maxLength": 200},
        "classification": {"type": "string", "maxLength": 80},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "sensitivity": {"enum": ["public", "internal", "confidential", "restricted"]},
        "deadline": {"type": "string", "format": "date-time"},
        "tool_budget": {"type": "integer", "minimum": 0},
        "allowed_actions": {"type": "array", "items": {"type": "string"}},
        "hop_count": {"type": "integer", "minimum": 0, "maximum": 32},
        "approval_conditions": {"type": "array", "maxItems": 20, "items": {"type": "string"}},
    },
}


def problems_with(envelope: Mapping[str, Any], *, version: str) -> Iterator[tuple[str, str, str]]:
    """What the schema cannot say, as (pointer, code, words): a release of another version, conditions that are none."""
    wanted = envelope.get("workflow_version", version)
    if wanted != version:
        words = f"This would run version {version}, not {wanted}. Leave it out, or name the release by its digest."
        yield "/envelope/workflow_version", "other_version", words
    for place, condition in enumerate(envelope.get("approval_conditions", [])):
        try:
            compile_condition(condition, POLICY_VARIABLES)
        except BadCondition as error:
            yield f"/envelope/approval_conditions/{place}", "condition", str(error)


def asked_for(need: Requirement, facts: Mapping[str, Any]) -> Requirement:
    """The requirement, with a person where one of the start's `approval_conditions` holds, or cannot be evaluated.

    They can only add people: where more are asked already, their number stays.
    """
    conditions = facts["envelope"].get("approval_conditions", [])
    wanted = "Whoever started this wants a person asked where “{}”"
    reasons = [why for one in conditions if (why := reason_where(one, wanted.format(one), facts))]
    if not reasons:
        return need
    return replace(
        need,
        required=max(need.required, 1),
        reasons=(*(why for why in need.reasons if why != NOBODY_ASKS), *reasons),
        policy_version=f"{need.policy_version}, envelope",
    )
