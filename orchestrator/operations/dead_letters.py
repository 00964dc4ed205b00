"""What a person does with a dead letter: let the step try again, or discard it with a reason."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit import scope
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Invalid, NotVisible, Stale
from orchestrator.engine.advance import wake
from orchestrator.gate.locks import lock_execution
from orchestrator.models import DeadLetter, Execution, Step
from orchestrator.operations.executions import refuse_unless_operator
from orchestrator.statuses import DeadLetterStatus, ExecutionStatus, StepStatus


@transaction.atomic
def requeue(*, letter_id: UUID, by: Actor) -> DeadLetter:
    """Queue the step for a fresh set of tries under its old keys. Fixed only when it is later seen to succeed.

    Raises NotVisible, Forbidden, Stale.
    """
    execution, letter = _open_letter(letter_id, by)
    step = Step.objects.select_for_update().get(pk=letter.step_id)
    if step.status != StepStatus.DEAD_LETTER:
        raise Stale("The step is already being tried again.")
    move(letter, to=DeadLetterStatus.REDRIVEN, by=by, why=f"{by.name} queued it for retry")
    move(step, to=StepStatus.PENDING, by=by, why="redriven", tries=0, due_at=Now(), finished_at=None)
    if execution.status == ExecutionStatus.DEAD_LETTERED:
        move(execution, to=ExecutionStatus.RUNNING, by=by, why=f"redrive of {step.key}", finished_at=None)
    wake(execution.pk)
    return letter


@transaction.atomic
def discard(*, letter_id: UUID, by: Actor, why: str) -> DeadLetter:
    """Give the work up for good, with a reason: the execution is cancelled. Raises Invalid, NotVisible, Forbidden, Stale."""
    if not why.strip():
        raise Invalid("Say why it is discarded.", errors=[("/reason", "required", "A discard needs a reason.")])
    execution, letter = _open_letter(letter_id, by)
    move(letter, to=DeadLetterStatus.DISCARDED, by=by, why=why[:1000])
    for step in execution.steps.select_for_update().filter(status__in=[StepStatus.DEAD_LETTER, StepStatus.PENDING]):
        move(step, to=StepStatus.CANCELLED, by=by, why="discarded", finished_at=Now(), due_at=None)
    if execution.status == ExecutionStatus.DEAD_LETTERED:
        move(execution, to=ExecutionStatus.CANCELLED, by=by, why=f"dead letter discarded: {why}"[:1000])
    return letter


def _open_letter(letter_id: UUID, by: Actor) -> tuple[Execution, DeadLetter]:
    found = DeadLetter.objects.filter(pk=letter_id).first()
    if found is None or found.unit_id not in scope.unit_ids(by, "view"):
        raise NotVisible("There is no such dead letter.")
    refuse_unless_operator(by, found.unit_id, found.unit_title)
    execution = lock_execution(found.execution_id)
    letter = DeadLetter.objects.select_for_update().get(pk=letter_id)
    if letter.status != DeadLetterStatus.OPEN:
        raise Stale(f"This dead letter is already {letter.status}.")
    return execution, letter
