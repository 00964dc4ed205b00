"""A step of a workflow that asks people, after one that gave a lot: what waits is whether the execution goes on."""

from approvals.models import ApprovalRequest
from orchestrator.engine.settle import settle_success
from orchestrator.engine.workers.crew import run_to_its_end
from orchestrator.operations import executions
from orchestrator.releases.bundle import publish
from tests import make

WORKFLOW = """
workflow: refunding
version: 1.0.0
input: {type: object, required: [message], properties: {message: {type: string}}}
steps:
  - read: {agent: reader}
  - approve: {human_if: [refund_amount > 500], required: %s, checks: [Is it what was charged?]}
  - post: {agent: poster}
"""
READ = {
    "type": "object",
    "required": ["refund_amount", "reply", "articles"],
    "properties": {"refund_amount": {"type": "number"}, "reply": {"type": "string"}, "articles": {"type": "array"}},
}
ARTICLES = [{"id": f"rule-{number}", "text": f"Rule {number} of the house. " * 9} for number in range(5)]
GAVE = {"refund_amount": 1140, "reply": "Dear customer,\nwe refund EUR 1140.00.", "articles": ARTICLES}


def letting_go_on(required: int = 1) -> ApprovalRequest:
    """The request of the step `approve`."""
    make.agent()
    make.agent("reader", output_schema=READ)
    publish(make.folder(make.new_place("refunding"), WORKFLOW % required), by=make.MAKER)
    asker = make.actor(make.person("operator", "view", "operate"))
    message = {"message": "Twelve chairs are damaged. We paid EUR 1,140.00."}
    started = executions.start(workflow="refunding", input=message, unit="finance", by=asker)
    claim = settle_success(make.claimed(started), input=message, output=GAVE)
    run_to_its_end(make.begun(claim) if claim else make.claimed(started))
    return ApprovalRequest.objects.get(execution_id=started.pk)
