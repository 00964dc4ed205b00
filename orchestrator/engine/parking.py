"""A step that waits for people, or for somebody's verdict: its worker is free, nothing is held but the row.

`approve` steps of chains are parked many at once: `waits`.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.deadlocks import again
from audit.lifecycle import move
from budgets.reserving import OverBudget, block, release
from orchestrator.engine.advance import advance, wake
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.people import Question, ask
from orchestrator.engine.segment import Segment
from orchestrator.engine.settle import charge, held_rows
from orchestrator.gate.limits import Limited
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Action, Step
from orchestrator.statuses import ActionStatus, AttemptStatus, StepStatus


@again
@transaction.atomic
def settle_parked(
    segment: Segment,
    *,
    to: str,
    why: str,
    input: dict[str, Any],
    question: Question | None = None,
    refusal: Limited | OverBudget | None = None,
) -> None:
    """The step waits for a person, or for its turn; its worker is free, and this try does not count against its limit."""
    execution = lock_execution(segment.execution.pk)
    attempt, step = held_rows(segment)
    charge(segment)
    release(segment.fence, ran=False)
    limited = refusal if isinstance(refusal, Limited) else None
    move(attempt, to=AttemptStatus.PARKED, by=ENGINE, why=why, finished_at=Now(), message=why)
    move(
        step,
        to=to,
        by=ENGINE,
        why=why,
        input=input,
        failure_class="",
        tries=F("tries") - 1,
        due_at=Now() + timedelta(seconds=limited.seconds) if limited else None,
        waits_for=limited.limit_id if limited else None,
        guard={"attempt_id": segment.fence},
    )
    if isinstance(refusal, OverBudget):
        block(refusal, step_id=step.pk, unit_id=execution.unit_id, execution_id=execution.pk)
    if question is not None:
        ask(question)
    elif to == StepStatus.AWAITING_APPROVAL and not _is_anybody_asked(step):
        # People were faster than the parking: the decision found the step still running, so it resumes here.
        move(step, to=StepStatus.PENDING, by=ENGINE, why="decided before it was parked", due_at=Now())
        wake(execution.pk)
    advance(execution, by=ENGINE)


def _is_anybody_asked(step: Step) -> bool:
    return Action.objects.filter(step_id=step.pk, status__in=[ActionStatus.HELD, ActionStatus.SENT_BACK]).exists()
