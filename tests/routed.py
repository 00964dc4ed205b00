"""A step that failed, that its workflow routes to a person, and that another step waits for."""

from typing import Any

from approvals.models import ApprovalRequest
from orchestrator.engine.retries import Failure
from orchestrator.engine.settle import settle_failure
from orchestrator.operations import executions
from orchestrator.releases.bundle import publish
from tests import make

WORKFLOW = """
workflow: intake
version: 1.0.0
input: {type: object}
steps:
  - read: {agent: reader, on_error: route_to_human}
  - post: {agent: poster, needs: [read]}
"""
READ = {
    "type": "object",
    "required": ["intent", "confidence", "urgent", "subject"],
    "additionalProperties": False,
    "properties": {
        "intent": {"type": "string", "enum": ["refund", "return"], "description": "What the customer wants."},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "urgent": {"type": "boolean"},
        "subject": {"type": "string", "maxLength": 80},
        "lines": {"type": "array", "items": {"type": "integer"}},
    },
}


def routed(schema: dict[str, Any] = READ) -> ApprovalRequest:
    """The request of the step `read`, whose result has to fit this schema."""
    make.agent()
    make.agent("reader", output_schema=schema)
    publish(make.folder(make.new_place("intake"), WORKFLOW), by=make.MAKER)
    asker = make.actor(make.person("operator", "view", "operate"))
    started = executions.start(workflow="intake", input={"case": "C-1"}, unit="finance", by=asker)
    failure = Failure("business", "no rule recognises what the customer wants", {})
    settle_failure(make.claimed(started), failure, input={"case": "C-1"})
    return ApprovalRequest.objects.get(execution_id=started.pk)
