"""Ending an execution from outside: by a person (cancelled, a dead letter given up) or by its deadline (timed out).

Attempts in flight lose their lease; what they had sent stays recorded.
"""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from approvals.statuses import UNDECIDED, RequestStatus
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Stale
from budgets.reserving import release
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.closing import end_letters
from orchestrator.engine.dead_letters.letters import lock_open
from orchestrator.gate.locks import lock_execution
from orchestrator.gate.reconcile import back_in_doubt
from orchestrator.models import Action, Attempt, DeadLetter, Execution
from orchestrator.statuses import (
    EXECUTION,
    STEP,
    ActionStatus,
    AttemptStatus,
    DeadLetterStatus,
    ExecutionStatus,
    StepStatus,
)

LIVE_REQUESTS = [*UNDECIDED, RequestStatus.APPROVED]
NOT_SENT = [ActionStatus.HELD, ActionStatus.SENT_BACK, ActionStatus.GRANTED]


def end_execution(execution_id: UUID, *, to: str, by: Actor, why: str) -> None:
    """Inside a transaction. Raises Stale when it is already over. What was already sent stays recorded."""
    _withdraw_requests(execution_id, by, why)
    _end(lock_execution(execution_id), to, by, why)


@transaction.atomic
def time_out(execution_id: UUID) -> None:
    """Its deadline has passed: found by the sweep, or by a step that was about to begin. Raises Stale."""
    end_execution(execution_id, to=ExecutionStatus.TIMED_OUT, by=ENGINE, why="the deadline has passed")


def discard(letter: DeadLetter, *, by: Actor, code: str, why: str) -> DeadLetter:
    """Give the work of a letter up for good: its execution is cancelled, its other branches too.

    Inside a transaction. Raises Stale when the letter is not open any more.
    """
    words = f"dead letter discarded: {why}"[:1000]
    _withdraw_requests(letter.execution_id, by, words)
    execution, letter = lock_open(letter)
    move(letter, to=DeadLetterStatus.DISCARDED, by=by, why=why[:1000], discard_code=code, data={"code": code})
    # Older versions left letters open in executions that had failed.
    if not execution.is_final:
        _end(execution, ExecutionStatus.CANCELLED, by, words)
    return letter


def _withdraw_requests(execution_id: UUID, by: Actor, why: str) -> None:
    """Requests are locked before the execution, as a decision takes them, and one after the other as everybody takes several."""
    live = ApprovalRequest.objects.filter(execution_id=execution_id, status__in=LIVE_REQUESTS).order_by("pk")
    for subject in live.values_list("subject_id", flat=True):
        approvals.withdraw(subject_id=subject, by=by, why=why)


def _end(execution: Execution, to: str, by: Actor, why: str) -> None:
    if to not in EXECUTION.edges[execution.status]:
        raise Stale(f"This execution is already {execution.status.replace('_', ' ')}.")
    _end_attempts(execution.pk, by, why)
    for step in execution.steps.select_for_update().in_order():
        if StepStatus.CANCELLED in STEP.edges[step.status]:
            move(step, to=StepStatus.CANCELLED, by=by, why=why, finished_at=Now(), due_at=None)
    _end_actions(execution.pk, by, why)
    end_letters(execution, by=by, why=why)
    move(execution, to=to, by=by, why=why[:1000], finished_at=Now())


def _end_attempts(execution_id: UUID, by: Actor, why: str) -> None:
    for attempt in Attempt.objects.select_for_update().filter(execution_id=execution_id, status=AttemptStatus.RUNNING):
        move(attempt, to=AttemptStatus.RELEASED, by=by, why=why, finished_at=Now(), message=why)
        release(attempt.pk, ran=False)


def _end_actions(execution_id: UUID, by: Actor, why: str) -> None:
    """Not yet sent: taken back. Sent ones stay open for their report, or for whoever finds out, because their effect is real."""
    for action in Action.objects.select_for_update().filter(execution_id=execution_id, status__in=NOT_SENT):
        take_back(action, by=by, why=why)


def take_back(action: Action, *, by: Actor, why: str) -> None:
    """The locked action is not sent, or not sent again."""
    if action.in_doubt and action.status == ActionStatus.GRANTED:
        back_in_doubt(action, by=by, why=why)
    else:
        move(action, to=ActionStatus.WITHDRAWN, by=by, why=why, finished_at=Now())
