"""Drive recorded agent runs through Holdpoint's gate, as an outside client, and compare the totals with the record.

    python examples/replay_runs/replay.py tools|agents|policies --data DIR     prints a file to import
    python examples/replay_runs/replay.py --data DIR --url URL --token TOKEN   replays every run

Each recorded tool call is proposed in its place. What passes, or is approved, is redeemed, and the recorded answer
reported; what a reviewer rejects does not happen again. Running it twice changes nothing: every request has a key.
"""

import argparse
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from client import Holdpoint
from definitions import agent_items, policy_items, tool_items
from recordings import AGENT, MODEL, ModelCall, Run, ToolCall, runs
from totals import expected, found, table


def main() -> int:
    """The exit code: 0 when every total is what the recording says."""
    options = _options()
    if options.what != "run":
        print(json.dumps(_items(options), indent=2))
        return 0
    recorded = runs(options.data)
    began = time.monotonic()
    client = Holdpoint(options.url, options.token)
    with ThreadPoolExecutor(options.parallel) as pool:
        ends = sum(pool.map(lambda run: replay(client, run, options.patience), recorded), Counter())
    lines, agree = table(expected(recorded), found(client, recorded), ends)
    print("\n".join(lines))
    print(f"{len(recorded)} runs in {time.monotonic() - began:.0f} s.")
    return 0 if agree else 1


def replay(client: Holdpoint, run: Run, patience: float) -> Counter[str]:
    """One run, in its recorded order. Counts how its calls ended."""
    ends: Counter[str] = Counter()
    for moment in run.moments:
        if isinstance(moment, ModelCall):
            _report_usage(client, run, moment)
        else:
            ends[_call(client, run, moment, patience)] += 1
    return ends


def _report_usage(client: Holdpoint, run: Run, call: ModelCall) -> None:
    body = {
        "execution": run.id,
        "model": MODEL,
        "cost": str(call.cost),
        "currency": "USD",
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "reference": f"turn {call.turn}",
    }
    client.post("usage/", body, key=f"{run.id}:turn-{call.turn}")


def _call(client: Holdpoint, run: Run, call: ToolCall, patience: float) -> str:
    """Propose, wait where people decide, redeem, report. Returns the status it ended in."""
    key = f"{run.id}:turn-{call.turn}:{call.id}"  # a model's ids of its calls may come again later in one run
    action = client.post("actions/", _proposal(run, call), key=key)
    action = client.decided(action, patience)
    if action["status"] != "granted":
        return str(action["status"])
    ticket = client.post(f"actions/{action['id']}/redemptions/", {}, key=f"{key}:redeem")
    # Here an agent would call the tool with exactly these arguments. The recording is our tool.
    if ticket["arguments"] != call.arguments:
        raise AssertionError(f"{key}: the arguments that came back are not those that were proposed")
    report = {"fence": ticket["fence"], **_outcome(call)}
    return str(client.post(f"actions/{action['id']}/outcomes/", report, key=f"{key}:report")["status"])


def _proposal(run: Run, call: ToolCall) -> dict[str, Any]:
    return {
        "tool": call.tool,
        "arguments": call.arguments,
        "agent": AGENT,
        "execution": run.id,
        "context": {
            "evidence": [{"label": "The customer's last message", "value": call.customer_said, "source": "chat"}],
            "model_call": {"model": MODEL, "call": call.id, "turn": call.turn},
        },
    }


def _outcome(call: ToolCall) -> dict[str, Any]:
    if call.failed:
        return {"outcome": "business_error", "error": {"message": call.answer}}
    return {"outcome": "success", "result": _value(call.answer)}


def _value(answer: str) -> Any:
    """Tools answer with text that often is JSON."""
    try:
        value = json.loads(answer)
    except ValueError:
        value = answer
    return value if isinstance(value, (dict, list)) else {"text": answer}


def _items(options: argparse.Namespace) -> list[dict[str, Any]]:
    if options.what == "tools":
        return tool_items(options.data)
    if options.what == "agents":
        return agent_items(options.data, unit=options.unit, owner=options.owner)
    return policy_items()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="run", choices=["run", "tools", "agents", "policies"])
    parser.add_argument("--data", type=Path, required=True, help="folder with the recorded runs")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--token", default="", help="from `manage.py token`")
    parser.add_argument("--unit", default="support", help="business unit of the agent (agents)")
    parser.add_argument("--owner", default="operator", help="user who owns the agent (agents)")
    parser.add_argument("--parallel", type=int, default=8, help="runs at the same time")
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait for people per call")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
