"""Reading the outside world's own books: did it happen (probe), and what stands there now (record)."""

import json
from typing import Any

from audit import failpoints
from orchestrator.engine.retries import Failure
from orchestrator.engine.runners import Done
from orchestrator.engine.segment import Segment
from orchestrator.engine.workshop import run_helper
from orchestrator.gate.reconcile import Finding
from orchestrator.models import Action


def look_up(segment: Segment, action: Action) -> Finding | Failure:
    """Ask the tool's probe by business key. A probe that fails is a failure of the outside world, retried as such."""
    context = {"idempotency_key": action.idempotency_key, "business_key": action.business_key}
    failpoints.hit("look_up.before")
    ran = run_helper(segment, "probe", segment.released.tools[action.tool], json.loads(action.arguments), context)
    failpoints.hit("look_up.answered")
    if not isinstance(ran, Done):
        return Failure(
            "system", f"Looking up {action.business_key or action.tool} failed: {ran.message}", {"tool": action.tool}
        )
    happened = ran.result.get("happened")
    if happened not in {"yes", "no", "partly", "unknown"}:
        return Failure("bug", f"The probe of {action.tool} answered {happened!r}.", {"tool": action.tool})
    return Finding(happened, str(ran.result.get("detail", "")), ran.result.get("result"))


def read_record(segment: Segment, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | Failure:
    """The authoritative record the act is about, as it stands now."""
    contract = segment.released.tools.get(tool, {})
    if not contract.get("record"):
        return {}
    ran = run_helper(segment, "record", contract, arguments, {})
    if isinstance(ran, Done):
        return ran.result
    kind = ran.failure_class if ran.failure_class in {"business", "policy"} else "system"
    return Failure(kind, f"Reading the record before {tool} failed: {ran.message}", {"tool": tool})
