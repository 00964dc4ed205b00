"""Reading the outside world's own books: did it happen (probe), and what stands there now (record)."""

import json
from typing import Any

from audit import failpoints
from orchestrator.engine.outputs import problem_with_call
from orchestrator.engine.retries import Failure
from orchestrator.engine.runners.pool import Done
from orchestrator.engine.runners.workshop import run_helper
from orchestrator.engine.segment import Segment
from orchestrator.gate.reconcile import Finding
from orchestrator.models import Action

NO_OBJECT = Failure("output_schema", "the result is no object.")


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
    finding = Finding(happened, str(ran.result.get("detail", "")), ran.result.get("result"))
    return _without_result(segment, action.tool, finding) or finding


def _without_result(segment: Segment, tool: str, finding: Finding) -> Finding | None:
    """It happened, and the step cannot go on with what the books say of it: then somebody else has to say what came of it."""
    result = {} if finding.result is None else finding.result
    if finding.happened != "yes":
        return None
    contract = segment.released.tools[tool]
    problem = problem_with_call(segment.spec, contract, result) if isinstance(result, dict) else NO_OBJECT
    if problem is None:
        return None
    seen = f"{finding.detail}; " if finding.detail else ""
    return Finding("unknown", f"{seen}it is in their books, but not what {tool} answered: {problem.message}")


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
