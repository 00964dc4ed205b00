"""What exactly is proposed, as canonical bytes: the text people approve, digests bind, and redeeming recomputes."""

import json
import re
from typing import Any

from audit.canonical import canonical, digest_text
from orchestrator.models import Action, Tool


def snapshot_of(action: Action) -> str:
    """Everything the signature covers. Built from stored columns only, so it can be recomputed at dispatch."""
    return canonical(
        {
            "tool": action.tool,
            "tool_version": action.tool_version,
            "arguments": json.loads(action.arguments),
            "unit": str(action.unit_id),
            "agent": action.agent,
            "record": json.loads(action.record) if action.record else None,
            "release": action.context.get("release"),
            "policy_version": action.policy_version,
            "revision": action.revision,
        }
    )


def digest_of(action: Action) -> str:
    return digest_text(snapshot_of(action))


def title_of(tool: Tool, arguments: dict[str, Any]) -> str:
    """The tool's one line for people with its {argument} places filled; never longer than a headline."""
    template = tool.title or f"Call {tool.name}"
    filled = re.sub(r"\{(\w+)\}", lambda found: str(arguments.get(found[1], f"({found[1]} not given)")), template)
    return filled[:200]


def undo_sentence(tool: Tool) -> str:
    if tool.effect == "read":
        return "Nothing to undo: it only reads."
    if tool.effect == "irreversible":
        return "Cannot be undone: what it does is irreversible."
    if tool.compensate_with:
        return f"Can be undone by {tool.compensate_with}, which is itself gated."
    return "Cannot be undone: no compensating tool is registered for it."
