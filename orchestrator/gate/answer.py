"""A person gives the result in the tool's place: checked like a tool's own, recorded as theirs, and nothing is dispatched."""

from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from approvals.operations import cases, seeding
from approvals.rules.locks import lock_request
from audit.actors import Actor, system
from audit.refusals import Refusal, Stale
from orchestrator.gate.contracts import promised_of, refuse_unfit_result, still_empty
from orchestrator.gate.locks import lock_action
from orchestrator.models import Action, Tool
from orchestrator.statuses import ActionStatus

GATE = system("gate")


class NotAnswerable(Refusal):
    """Only a tool call has a result that somebody could give."""

    code = "not_answerable"


@transaction.atomic
def answer_instead(*, request_id: UUID, by: Actor, voice: approvals.Voice, result: dict[str, Any]) -> ApprovalRequest:
    """End a held call with this person's result. Raises Invalid when it does not fit what the tool promises."""
    request = lock_request(request_id, by)
    if request.is_test:
        approvals.refuse_unless_waiting(request, by, digest=voice.digest, revision=voice.revision)
        return seeding.end_beside(request, act="answered", by=by)
    if not Action.objects.filter(pk=request.subject_id).exists():
        raise NotAnswerable("Only a tool call can be answered. Decide on this as it is.")
    action = lock_action(request.subject_id)
    if action.status == ActionStatus.HELD:
        _refuse_unfit(action, result)
        action.result = result
        action.save(update_fields=["result"])
    elif action.status == ActionStatus.ANSWERED and action.result != result:
        raise Stale("It was already answered, with another result. Nothing was recorded.")
    # Its signal moves the action, announces it, and lets the step go on.
    answered = approvals.answer(request_id=request_id, by=by, voice=voice, result=result)
    cases.keep_answer(answered, result=result, by=GATE)
    return answered


def _refuse_unfit(action: Action, result: dict[str, Any]) -> None:
    tool = Tool.objects.filter(name=action.tool, version=action.tool_version).first()
    says = f"The result does not fit what {action.tool} promises"
    schema, filled = promised_of(action, tool.output_schema if tool else None)
    refuse_unfit_result(result, schema, says=says, more=still_empty(result, filled))
