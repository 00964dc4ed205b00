"""What exactly is proposed, as canonical bytes: the text people approve, digests bind, and redeeming recomputes."""

import json
import re
from typing import Any

from approvals.models.request import FOR_GOOD
from audit.canonical import canonical, digest_text
from audit.headlines import cut, line_of
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


# A place of the record with what goes when it is empty, or a place for an argument.
_PLACE = re.compile(r"( ?\(?)\{record\.(\w+(?:\.\w+)*)\}(\)?)|\{(\w+)\}")


def title_of(tool: Tool, arguments: dict[str, Any], record: Any = None) -> str:
    """The tool's one line for people with its places filled; never longer than a headline.

    `{account}` is an argument, `{record.account.name}` what the record says. A place of the record that says nothing,
    or for which no record is given, is left out with the blank and the brackets around it.
    """

    def fill(found: re.Match[str], longest: int) -> str:
        if found[4]:
            return cut(str(arguments.get(found[4], f"({found[4]} not given)")), longest)
        said = cut(_said(record, found[2]), longest)
        return f"{found[1]}{said}{found[3]}" if said else ""

    words = tool.title or f"Call {tool.name}"
    return line_of(lambda longest: _PLACE.sub(lambda found: fill(found, longest), words))


def _said(record: Any, place: str) -> str:
    for name in place.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return str(record) if isinstance(record, str | int | float) else ""


IRREVERSIBLE = f"{FOR_GOOD}what it does is irreversible."
# No import takes such a contract any more; one may have been in force before.
UNDONE_BY_ITSELF = f"{FOR_GOOD}the tool itself is named to take it back, and would do it once more."


def undo_sentence(tool: Tool) -> str:
    if tool.effect == "read":
        return "Nothing to undo: it only reads."
    if tool.effect == "irreversible":
        return IRREVERSIBLE
    if tool.compensate_with == tool.name:
        return UNDONE_BY_ITSELF
    if tool.compensate_with:
        return f"Can be undone by {tool.compensate_with}, which is itself gated."
    return f"{FOR_GOOD}no compensating tool is registered for it."
