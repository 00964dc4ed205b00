"""A step that waits for people, or for somebody's verdict: its worker is free, nothing is held but the row."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from audit import failpoints
from audit.deadlocks import again
from audit.lifecycle import Moves, move
from budgets.reserving import OverBudget, block, release
from orchestrator.engine.advance import advance, wake
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.segment import Segment
from orchestrator.engine.settle import charge, held_rows
from orchestrator.gate.limits import Limited
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Action, Attempt, Execution, Step
from orchestrator.statuses import ActionStatus, AttemptStatus, ExecutionStatus, StepStatus

# Opens the request of a parked step, in the transaction that parks it; within the statement that does, where there is one.
Ask = Callable[[Execution, Step, Moves | None], None]


@again
def settle_parked(
    segment: Segment,
    *,
    to: str,
    why: str,
    input: dict[str, Any],
    ask: Ask | None = None,
    refusal: Limited | OverBudget | None = None,
) -> None:
    """The step waits for a person, or for its turn; its worker is free, and this try does not count against its limit."""
    if ask is not None and segment.is_light:
        _park_a_chain(segment, to=to, why=why, input=input, ask=ask)
    else:
        _park(segment, to=to, why=why, input=input, ask=ask, refusal=refusal)


@transaction.atomic
def _park(
    segment: Segment,
    *,
    to: str,
    why: str,
    input: dict[str, Any],
    ask: Ask | None,
    refusal: Limited | OverBudget | None,
) -> None:
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
    if ask is not None:
        ask(execution, step, None)
    elif to == StepStatus.AWAITING_APPROVAL and not _is_anybody_asked(step):
        # People were faster than the parking: the decision found the step still running, so it resumes here.
        move(step, to=StepStatus.PENDING, by=ENGINE, why="decided before it was parked", due_at=Now())
        wake(execution.pk)
    advance(execution, by=ENGINE)


def _park_a_chain(segment: Segment, *, to: str, why: str, input: dict[str, Any], ask: Ask) -> None:
    """Nothing else of a chain can run meanwhile, so the execution waits, too: one statement moves all three and asks."""
    moves = Moves(stream=segment.stream, unit_id=segment.execution.unit_id, by=ENGINE, lock=segment.execution)
    moves.move(
        Attempt,
        segment.fence,
        before=AttemptStatus.RUNNING,
        to=AttemptStatus.PARKED,
        set_sql="finished_at = clock_timestamp(), message = %s",
        set_params=(why,),
        why=why,
    )
    moves.move(
        Step,
        segment.step_id,
        before=StepStatus.IN_PROGRESS,
        to=to,
        set_sql="input = %s, failure_class = '', tries = tries - 1, due_at = NULL, why = %s",
        set_params=(Jsonb(input), why[:1000]),
        guard_sql="attempt_id = %s",
        guard_params=(segment.fence,),
        why=why,
    )
    moves.move(Execution, segment.execution.pk, before=ExecutionStatus.RUNNING, to=ExecutionStatus.WAITING)
    ask(segment.execution, Step(id=segment.step_id, key=segment.key, attempt_count=segment.attempt_number), moves)
    failpoints.hit("park.before")
    moves.execute()
    failpoints.hit("park.committed")


def _is_anybody_asked(step: Step) -> bool:
    return Action.objects.filter(step_id=step.pk, status__in=[ActionStatus.HELD, ActionStatus.SENT_BACK]).exists()
