"""The recorded tools as Holdpoint registers them: a contract each, with a risk tier from the authors' own class.

READ tools and `calculate` change nothing: informational, nobody signs. WRITE tools change a customer's order or
booking: customer-facing, one person signs. `transfer_to_human_agents` hands the customer to a person. Asking for a
person must never wait for a person, so it passes without a signature, and a policy says so by name in its reasons.
"""

from pathlib import Path
from typing import Any

from recordings import AGENT, DOMAINS, tools

ESCALATION = "transfer_to_human_agents"
TYPES = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "List[str]": {"type": "array", "items": {"type": "string"}},
}
RUNBOOK = (
    "Read the run's actions in order. A wrong write is corrected by a person in the shop's or airline's own system."
)


def tool_items(data: Path) -> list[dict[str, Any]]:
    """tools.json for `manage.py import_tools`."""
    return [_tool(domain, item) for domain, item in tools(data)]


def agent_items(data: Path, *, unit: str, owner: str) -> list[dict[str, Any]]:
    """agents.json for `manage.py import_agents`: one agent that may call exactly these tools."""
    return [
        {
            "name": AGENT,
            "owner": owner,
            "unit": unit,
            "description": "Recorded customer-service agent (GPT-4.1) of a shop and an airline, replayed as an outside client.",
            "runbook": RUNBOOK,
            "allowed_tools": [f"{domain}.{item['name']}" for domain, item in tools(data)],
        }
    ]


def policy_items() -> list[dict[str, Any]]:
    """policies.json for `manage.py import_policies`: hand-overs are marked as such."""
    return [
        {
            "name": f"escalation-{domain}",
            "tool": f"{domain}.{ESCALATION}",
            "required": 0,
            "reason": "Escalation: the agent hands the customer over to a person, and needs nobody's leave for that",
        }
        for domain in DOMAINS
    ]


def _tool(domain: str, item: dict[str, Any]) -> dict[str, Any]:
    writes = item["tool_type"] == "WRITE"
    return {
        "name": f"{domain}.{item['name']}",
        "version": "1",
        "description": item["docstring"],
        "title": _title(item),
        "input_schema": _schema(item["args"]),
        "effect": "write" if writes or item["name"] == ESCALATION else "read",
        "idempotency_class": "C" if writes else "A",
        "tier": "customer_facing" if writes else "informational",
        "runbook": RUNBOOK,
    }


def _title(item: dict[str, Any]) -> str:
    words = item["name"].replace("_", " ").capitalize()
    return f"{words}: {{{item['args'][0]['name']}}}" if item["args"] else words


def _schema(arguments: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {argument["name"]: _type(argument["annotation"]) for argument in arguments},
        "required": [argument["name"] for argument in arguments if argument["default"] is None],
        "additionalProperties": False,
    }


def _type(annotation: str) -> dict[str, Any]:
    """Named types of the authors are choices of words, or lists of objects."""
    other: dict[str, Any] = (
        {"type": "array", "items": {"type": "object"}} if annotation.startswith("List") else {"type": "string"}
    )
    return TYPES.get(annotation, other)
