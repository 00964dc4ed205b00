"""A person does a failed step and gives its result: judged like a handler's own, recorded as theirs."""

from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from approvals.rules.locks import lock_request
from audit.actors import Actor
from audit.refusals import Refusal, Stale
from orchestrator.engine.outputs import misses, promised
from orchestrator.engine.released import released
from orchestrator.gate.contracts import refuse_unfit_result, still_empty
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Step
from orchestrator.statuses import StepStatus


class NotByHand(Refusal):
    """Only a step that was routed to a person is done by hand."""

    code = "not_by_hand"


@transaction.atomic
def hand_in(*, request_id: UUID, by: Actor, voice: approvals.Voice, result: dict[str, Any]) -> ApprovalRequest:
    """End a failed step with this person's result; the execution goes on with it.

    Raises Invalid when the result is not what the step promises, NotByHand, and whatever refuses an answer.
    """
    request = lock_request(request_id, by)
    if not request.is_by_hand:
        raise NotByHand("This is not a step to be done by hand. Decide on it as it is.")
    execution = lock_execution(Step.objects.values_list("execution_id", flat=True).get(pk=request.subject_id))
    step = Step.objects.select_for_update().get(pk=request.subject_id)
    if step.status == StepStatus.AWAITING_APPROVAL:
        _refuse_unfit(execution.release_id, step, result)
        step.output = result
        step.save(update_fields=["output"])
    elif step.output != result:
        raise Stale("It was already decided. Nothing was recorded.")
    # Its signal moves the step and lets the execution go on.
    return approvals.answer(request_id=request_id, by=by, voice=voice, result=result)


def _refuse_unfit(release_id: UUID, step: Step, result: dict[str, Any]) -> None:
    one = released(release_id)
    spec = one.spec.step(step.key)
    more = still_empty(result, spec.non_empty)
    if low := misses(spec, result):
        more.append(("/score", low.message))
    says = f"The result is not what “{step.key}” promises"
    refuse_unfit_result(result, promised(one, spec), says=says, more=more)
