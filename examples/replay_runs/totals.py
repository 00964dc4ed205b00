"""What the recording adds up to, what Holdpoint has stored, and both side by side."""

from collections import Counter
from decimal import Decimal
from typing import Any

from client import Holdpoint
from recordings import AGENT, ModelCall, Run, ToolCall

Totals = dict[str, Any]


def expected(recorded: list[Run]) -> Totals:
    """Straight from the files."""
    calls = [moment for run in recorded for moment in run.moments if isinstance(moment, ToolCall)]
    models = [moment for run in recorded for moment in run.moments if isinstance(moment, ModelCall)]
    return {
        "tool calls": len(calls),
        "tool errors": sum(call.failed for call in calls),
        "model calls": len(models),
        "input tokens": sum(call.input_tokens for call in models),
        "output tokens": sum(call.output_tokens for call in models),
        "cost (USD)": sum((call.cost for call in models), Decimal(0)),
    }


def found(client: Holdpoint, recorded: list[Run]) -> Totals:
    """From Holdpoint's own books: its stored actions and its ledger, not from what we believe we sent."""
    ours = {run.id for run in recorded}
    actions = [action for action in client.every(f"actions/?agent={AGENT}&limit=200") if action["execution"] in ours]
    costs = [row for row in client.get("costs/?group_by=execution")["results"] if row["group"] in ours]
    return {
        "tool calls": len(actions),
        "tool errors": sum(action["status"] == "failed" for action in actions),
        "model calls": sum(row["calls"] for row in costs),
        "input tokens": sum(row["input_tokens"] for row in costs),
        "output tokens": sum(row["output_tokens"] for row in costs),
        "cost (USD)": sum((Decimal(row["cost"]) for row in costs), Decimal(0)),
        "passed": sum(action["verdict"] == "allow" for action in actions),
        "held": sum(action["verdict"] == "hold" for action in actions),
        "escalations": sum("transfer_to_human_agents" in action["tool"] for action in actions),
    }


def table(recorded: Totals, stored: Totals, ends: Counter[str]) -> tuple[list[str], bool]:
    """The lines to print, and whether every total agrees."""
    lines = [f"{'':<16}{'recorded':>14}{'in Holdpoint':>16}"]
    for name, value in recorded.items():
        agree = "" if stored[name] == value else "   DIFFERENT"
        lines.append(f"{name:<16}{_number(value):>14}{_number(stored[name]):>16}{agree}")
    lines += [
        "",
        f"{stored['passed']} calls passed without a person ({stored['escalations']} of them handed the customer to one); "
        f"{stored['held']} were held.",
        f"They ended: {', '.join(f'{count} {status}' for status, count in sorted(ends.items()))}.",
    ]
    return lines, all(stored[name] == value for name, value in recorded.items())


def _number(value: Any) -> str:
    return f"{value:,.4f}" if isinstance(value, Decimal) else f"{value:,}"
