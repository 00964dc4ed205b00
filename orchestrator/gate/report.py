"""What came of it: success, business error, system error, or honestly unknown. Under the fence, once."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit import lifecycle
from audit.actors import Actor
from audit.deadlocks import again
from audit.lifecycle import move
from audit.models import Span
from audit.refusals import Stale
from budgets import operations as budgets
from budgets.pricing import Usage
from orchestrator.gate.announce import announce
from orchestrator.gate.budgeting import place_of, release
from orchestrator.gate.compensation import mark_undone
from orchestrator.gate.limits import observe
from orchestrator.gate.locks import lock_action, refuse_foreign
from orchestrator.gate.reconcile import NOT_REPORTED, first_reminder
from orchestrator.models import Action, Execution
from orchestrator.statuses import ActionStatus

Outcome = Literal["success", "business_error", "system_error", "unknown"]
ENDS_AS = {
    "success": ActionStatus.SUCCEEDED,
    "business_error": ActionStatus.FAILED,
    "system_error": ActionStatus.FAILED,
    "unknown": ActionStatus.UNKNOWN,
}
FAILURE_CLASS = {"business_error": "business", "system_error": "system", "unknown": "unknown_outcome"}


@again
@transaction.atomic
def report(
    *,
    action_id: UUID,
    fence: UUID,
    outcome: Outcome,
    by: Actor,
    result: Any = None,
    failure_class: str = "",
    message: str = "",
    usage: Usage | None = None,
    started_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> Action:
    """Close a redeemed action. Raises Stale when the fence is not the one it was redeemed under, NotVisible."""
    action = lock_action(action_id)
    refuse_foreign(action, by)
    if action.step_id is not None and by.kind == "agent":
        raise Stale("This call belongs to a step that runs here: its worker reports it. Nothing was recorded.")
    to = _ends_as(action, outcome, failure_class)
    if action.fence != fence or not (action.status == ActionStatus.REDEEMED or _comes_late(action, to)):
        raise Stale(f"This fence no longer counts: the action is {action.status}. Nothing was recorded.")
    is_open, is_late = to == ActionStatus.UNKNOWN, action.status == ActionStatus.UNKNOWN
    move(
        action,
        to=to,
        by=by,
        why=message[:1000],
        guard={"fence": fence},
        result=result,
        failure_class=failure_class or FAILURE_CLASS.get(outcome, ""),
        message=message,
        finished_at=None if is_open else Now(),
        in_doubt=is_open,
        next_look_at=first_reminder(action) if is_open else None,
    )
    observe(action)
    if outcome == "success":
        mark_undone(action, by=by)
    if started_at is not None or ended_at is not None:
        _span(action, outcome, started_at, ended_at)
    # A late word tells of a send whose price was charged when it was given up.
    if not is_late:
        budgets.charge_tool_call(place_of(action))
    if usage is not None:
        budgets.charge(usage, place_of(action))
    release(action, ran=True)
    announce(action)
    return action


def _ends_as(action: Action, outcome: Outcome, failure_class: str) -> ActionStatus:
    """That this send did nothing says nothing of an earlier one. Where the other side answers, it answers for its key;
    a handler that was kept from reaching a stranger was answered by nobody.
    """
    if outcome == "unknown" and action.effect == "read":
        return ActionStatus.FAILED  # what became of a read is no question to anybody: whoever wants it reads again
    did_nothing = outcome == "system_error" or failure_class == "policy"
    earlier = action.in_doubt and action.status == ActionStatus.REDEEMED
    return ActionStatus.UNKNOWN if did_nothing and earlier else ENDS_AS[outcome]


def _comes_late(action: Action, to: ActionStatus) -> bool:
    """Nobody heard of a foreign agent's send for so long that it counts as unknown, and now its word settles it.

    What it reported itself stands: then people look.
    """
    forgotten = action.step_id is None and action.status == ActionStatus.UNKNOWN and action.message == NOT_REPORTED
    return forgotten and to != ActionStatus.UNKNOWN


def _span(action: Action, outcome: str, started_at: datetime | None, ended_at: datetime | None) -> None:
    """The times as whoever carried it out tells them. When it was redeemed and reported stands in the action itself."""
    ended = ended_at or lifecycle.database_now()
    Span.objects.create(
        trace_id=_trace_of(action),
        parent_id=action.pk,
        unit_id=action.unit_id,
        kind="call",
        name=action.tool,
        started_at=min(started_at or action.redeemed_at or ended, ended),
        ended_at=ended,
        status="ok" if outcome == "success" else "error",
        attributes={"outcome": outcome},
    )


def _trace_of(action: Action) -> UUID:
    """Its execution's. A run of another system that it names has none here: then it is its caller's, or stands alone."""
    return Execution.objects.trace_of(action.execution_id) or action.trace_id or action.pk
