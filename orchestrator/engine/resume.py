"""A step that waited for a person goes on: due again, its worker free until now, its try not counted."""

from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from audit.actors import Actor
from audit.lifecycle import move
from orchestrator.engine.advance import PARKED, advance, wake
from orchestrator.engine.dead_letters.letters import write_letter
from orchestrator.engine.released import released
from orchestrator.engine.retries import Failure
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Attempt, Execution, Step
from orchestrator.statuses import StepStatus


def resume_step(*, step_id: UUID, by: Actor, why: str) -> None:
    """Make a parked step due. Not parked (any more, or not yet): nothing to do, the next claim sees the decision."""
    execution, step = _locked(step_id)
    if step.status in PARKED and not execution.is_final:
        move(step, to=StepStatus.PENDING, by=by, why=why, due_at=Now())
        advance(execution, by=by)
        wake(execution.pk)


def finish_parked_step(*, step_id: UUID, to: str, by: Actor, why: str, **columns: Any) -> bool:
    """A person's decision is the step's outcome: an approval step, or a failure routed to a human. Whether it waited."""
    execution, step = _locked(step_id)
    if step.status != StepStatus.AWAITING_APPROVAL or execution.is_final:
        return False
    move(step, to=to, by=by, why=why, finished_at=Now(), **columns)
    advance(execution, by=by)
    return True


def give_up_parked_step(*, step_id: UUID, by: Actor, why: str) -> None:
    """Nobody stood in for the failed step: it is what it would have been without asking. What trying again may mend is kept."""
    execution, step = _locked(step_id)
    if step.status != StepStatus.AWAITING_APPROVAL or execution.is_final:
        return
    last = Attempt.objects.filter(step=step).order_by("-number").first()
    failure = Failure(step.failure_class, last.message if last else why, last.evidence if last else {})
    to = StepStatus.BUSINESS_ERROR if failure.is_business else StepStatus.DEAD_LETTER
    move(step, to=to, by=by, why=why, finished_at=Now())
    if to == StepStatus.DEAD_LETTER:
        write_letter(execution, step, released(execution.release_id).spec.step(step.key), failure)
    advance(execution, by=by)


def _locked(step_id: UUID) -> tuple[Execution, Step]:
    execution = lock_execution(Step.objects.values_list("execution_id", flat=True).get(pk=step_id))
    return execution, Step.objects.select_for_update().get(pk=step_id)
