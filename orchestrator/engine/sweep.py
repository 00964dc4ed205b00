"""Heal what a crash left behind, on the database's clock and outside django-q2. Decides nothing: retries.decide does.

Every row is handled in its own transaction, so one bad row delays no other (audit/rounds.py).
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.authentication import sign_ins
from approvals.models import ApprovalRequest
from approvals.operations import claims, clocks, second_looks
from approvals.operations.escalation import escalate_due
from approvals.rules import bypasses, draws
from audit import rounds
from audit.lifecycle import move
from budgets.models import Reservation
from budgets.reserving import have_room
from budgets.reserving import release as release_room
from orchestrator.engine import budgeting, drives, reminders, retention, unsent_traces
from orchestrator.engine.advance import advance, wake
from orchestrator.engine.alerts import alerting
from orchestrator.engine.cancel import take_back, time_out
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.dead_letters import letters, triage
from orchestrator.engine.every import Every, Sparing
from orchestrator.engine.handback import release_unstarted
from orchestrator.engine.resume import resume_step
from orchestrator.engine.settle import settle_lost
from orchestrator.engine.stopped import go_on, going_on, release
from orchestrator.engine.sums import rollups
from orchestrator.gate import stopped as gate
from orchestrator.gate.locks import lock_action, lock_execution
from orchestrator.gate.reconcile import NOT_REPORTED, mark_unknown
from orchestrator.models import Action, Attempt, Execution, Step
from orchestrator.models.action import LAST_WORD_WITHIN
from orchestrator.statuses import EXECUTION, STEP, ActionStatus, AttemptStatus, ExecutionStatus, StepStatus

# Longer than it takes from reserving to the commit of what it was reserved for.
IDLE_AFTER = timedelta(minutes=1)

BATCH = 200
OVER = "the execution is over"
STEP_OVER = "its step is over"
UNSENT = [ActionStatus.HELD, ActionStatus.SENT_BACK, ActionStatus.GRANTED]
# Every few seconds is enough for people.
look_at_groups = Every(triage.LOOK_EVERY_SECONDS, triage.judge_all)
look_at_alerts = Every(alerting.LOOK_EVERY_SECONDS, alerting.judge_all)
look_at_levels = Every(alerting.SLOWLY_EVERY_SECONDS, alerting.judge_slowly)
forget_sign_ins = Every(60, sign_ins.forget_old)
forget_unsent_traces = Every(60, unsent_traces.forget)


def sweep() -> int:
    """One round of every duty; how many rows were healed. One that fails delays no other, a lost database ends the round."""
    return sum(map(rounds.attend, _duties()))


def _duties() -> list[Callable[[], int]]:
    """In this order: what people or workers wait for comes first."""
    return [
        partial(_each, Step.objects.due_timers, _wake_timer),
        partial(_each, _abandoned, _give_up_lease),
        clocks.keep,
        partial(escalate_due, by=ENGINE),
        partial(approvals.expire_overdue, by=ENGINE),
        partial(claims.note_lapsed, by=ENGINE),
        partial(bypasses.end_overdue, by=ENGINE),
        partial(second_looks.expire_overdue, by=ENGINE),
        partial(draws.commit_ahead, by=ENGINE),
        partial(_each, gate.released, release),
        partial(_each, going_on, go_on),
        partial(_each, _throttled, _ask_again),
        budgeting.forget_ended,
        _go_on_in_turn,
        partial(_each, _idle_reservations, _release),
        partial(_each, _overdue, _time_out),
        resume_missed,
        partial(_each, _unread, _read_again),
        advance_stalled,
        withdraw_orphaned,
        partial(_each, _unsent, _take_back),
        partial(_each, _forgotten_sends, _doubt),
        partial(_each, reminders.due, reminders.act),
        partial(_each, letters.unfiled, letters.file),
        partial(_each, letters.overtaken, letters.follow_step),
        look_at_groups,
        drives.drive,
        rollups.fold,
        retention.forget,
        forget_sign_ins,
        forget_unsent_traces,
        look_at_alerts,
        look_at_levels,
    ]


def _each(rows: Callable[[], Any], heal: Callable[[Any], int]) -> int:
    return rounds.each(rounds.due(rows, BATCH), heal)


@transaction.atomic
def _wake_timer(step_id: Any) -> bool:
    execution = lock_execution(Step.objects.values_list("execution_id", flat=True).get(pk=step_id))
    step = Step.objects.due_timers().filter(pk=step_id).first()
    if step is None:
        return False
    move(step, to=StepStatus.PENDING, by=ENGINE, why="its time has come", due_at=Now())
    wake(execution.pk)
    return True


def _abandoned() -> Any:
    """In any order: some that cannot be given up must not stand before the others in every round."""
    return Attempt.objects.abandoned().order_by("?")


def _give_up_lease(attempt_id: Any) -> bool:
    unstarted = release_unstarted(attempt_id, why="the lease ran out before the work began")
    return unstarted or settle_lost(attempt_id, why="The lease ran out: the worker died or lost its connection.")


def _overdue() -> Any:
    return Execution.objects.live().filter(deadline_at__lte=Now())


def _time_out(execution_id: Any) -> bool:
    time_out(execution_id)
    return True


def _decided_but_parked() -> Any:
    """A step still waiting although its action was decided: the wake-up was missed."""
    still_open = [ActionStatus.HELD, ActionStatus.SENT_BACK, ActionStatus.UNKNOWN]
    waiting = Action.objects.filter(step_id=OuterRef("pk"), status__in=still_open)
    asked = ApprovalRequest.objects.undecided().filter(subject_id=OuterRef("pk"))
    parked = [StepStatus.AWAITING_APPROVAL, StepStatus.UNKNOWN_OUTCOME]
    # One of an execution that is over waits for nothing, and would be found in every round.
    return Step.objects.filter(~Exists(waiting), ~Exists(asked), status__in=parked).exclude(
        execution__status__in=EXECUTION.final
    )


def _unread() -> Any:
    """Parked, and a reviewer wants the record read again: they asked while the step was still at work."""
    asked = ApprovalRequest.objects.pending().running().filter(reading_asked_at__isnull=False).values("subject_id")
    steps = Action.objects.filter(pk__in=asked, step_id__isnull=False).values("step_id")
    return Step.objects.filter(pk__in=steps, status=StepStatus.AWAITING_APPROVAL)


@transaction.atomic
def _read_again(step_id: Any) -> bool:
    resume_step(step_id=step_id, by=ENGINE, why="a reviewer wants the record as it stands now")
    return True


@transaction.atomic
def _resume(step_id: Any) -> bool:
    resume_step(step_id=step_id, by=ENGINE, why="found decided by the sweep")
    return True


def _go_on_in_turn() -> int:
    """Steps whose budget has room again, those first that came first."""
    return rounds.each(have_room(BATCH), budgeting.go_on)


def _idle_reservations() -> Any:
    """Held for nobody: no attempt runs under that fence, and what a foreign agent sent is past its hour."""
    running = Attempt.objects.filter(pk=OuterRef("holder"), status=AttemptStatus.RUNNING)
    sent = Action.objects.under_way().filter(fence=OuterRef("holder"), step_id=None)
    return Reservation.objects.filter(~Exists(running), ~Exists(sent), at__lte=Now() - IDLE_AFTER).order_by("at")


def _release(reservation_id: Any) -> bool:
    """A call of a foreign agent was sent, whether it ever reports or not: in a budget of runs it is one."""
    holder = Reservation.objects.filter(pk=reservation_id).values_list("holder", flat=True).first()
    was_sent = Action.objects.filter(fence=holder, step_id=None, redeemed_at__isnull=False).exists()
    return holder is not None and release_room(holder, ran=was_sent)


def _throttled() -> Any:
    return Step.objects.throttled_due().order_by("due_at")


@transaction.atomic
def _ask_again(step_id: Any) -> bool:
    resume_step(step_id=step_id, by=ENGINE, why="asks again for a place under the limit")
    return True


def _stalled() -> Any:
    """Live, and no step that is due, busy or parked: whoever should have advanced it died first."""
    moving = Step.objects.filter(execution_id=OuterRef("pk")).exclude(
        status__in=[StepStatus.SUCCESS, StepStatus.SKIPPED, StepStatus.CANCELLED, StepStatus.BUSINESS_ERROR]
    )
    return Execution.objects.filter(~Exists(moving), status__in=[ExecutionStatus.RUNNING, ExecutionStatus.WAITING])


@transaction.atomic
def _advance(execution_id: Any) -> bool:
    advance(lock_execution(execution_id), by=ENGINE)
    return True


def _orphaned_requests() -> Any:
    """Requests of executions that ended meanwhile: nothing waits for their answer. Those of calls that are still to be sent
    are not: ours are taken back together with the call, and a foreign agent waits for its own, whatever became of the
    execution it names.
    """
    ended = Execution.objects.filter(pk=OuterRef("execution_id"), status__in=EXECUTION.final)
    unsent = Action.objects.filter(pk=OuterRef("subject_id"), status__in=UNSENT)
    return ApprovalRequest.objects.undecided().filter(Exists(ended), ~Exists(unsent))


@transaction.atomic
def _withdraw(request_id: Any) -> bool:
    subject = ApprovalRequest.objects.values_list("subject_id", flat=True).get(pk=request_id)
    approvals.withdraw(subject_id=subject, by=ENGINE, why=OVER)
    return True


def _unsent() -> Any:
    """Calls that are not sent any more: an attempt proposed them and failed before it could, and their step is over: a person
    did it, a stand-in did, or it failed for good.
    """
    over = Q(status__in=STEP.final) | Q(execution__status__in=EXECUTION.final)
    return Action.objects.filter(Exists(Step.objects.filter(over, pk=OuterRef("step_id"))), status__in=UNSENT)


@transaction.atomic
def _take_back(action_id: Any) -> bool:
    approvals.withdraw(subject_id=action_id, by=ENGINE, why=STEP_OVER)
    action = lock_action(action_id)
    if action.status in UNSENT:
        take_back(action, by=ENGINE, why=STEP_OVER)
    return True


def _forgotten_sends() -> Any:
    """Sent under an attempt that was ended from outside, or by a foreign agent, and nobody has reported: whether it
    happened is a question. Of what only reads, it is none.
    """
    ended = Attempt.objects.filter(pk=OuterRef("fence"), finished_at__lte=Now() - LAST_WORD_WITHIN)
    foreign = Q(step_id=None, redeemed_at__lte=Now() - LAST_WORD_WITHIN) & ~Q(effect="read")
    return Action.objects.filter(Exists(ended) | foreign, status=ActionStatus.REDEEMED)


def _doubt(action_id: Any) -> int:
    fence, step_id = Action.objects.values_list("fence", "step_id").get(pk=action_id)
    why = "its execution was ended, and no report came" if step_id else NOT_REPORTED
    return mark_unknown(fence=fence, by=ENGINE, why=why) if fence else 0


# A second late after a crash is no harm; a second of the database's time in every second would be.
resume_missed = Sparing(partial(_each, _decided_but_parked, _resume))
advance_stalled = Sparing(partial(_each, _stalled, _advance))
withdraw_orphaned = Sparing(partial(_each, _orphaned_requests, _withdraw))
