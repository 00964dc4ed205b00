"""The one order in which rows are locked: approval request, execution, then step, attempt and action, then the stream.

Everybody who writes into an execution's audit stream holds the execution first, so nobody waits in a circle.
"""

from uuid import UUID

from django.db.models.functions import Now

from approvals.models import ApprovalRequest
from audit.actors import Actor
from audit.refusals import NotVisible, Stale
from orchestrator.models import Action, Attempt, Execution
from orchestrator.statuses import ActionStatus, AttemptStatus


def lock_execution(execution_id: UUID) -> Execution:
    return Execution.objects.select_for_update(no_key=True).get(pk=execution_id)


def lock_action(action_id: UUID) -> Action:
    """The action with everything above it locked. Raises NotVisible."""
    place = Action.objects.filter(pk=action_id).values("approval_id", "execution_id").first()
    if place is None:
        raise NotVisible("There is no such action.")
    if place["approval_id"]:
        ApprovalRequest.objects.select_for_update().get(pk=place["approval_id"])
    if place["execution_id"]:
        # A foreign agent may name an execution of its own system: then there is no row to lock.
        Execution.objects.select_for_update(no_key=True).filter(pk=place["execution_id"]).first()
    return Action.objects.select_for_update().get(pk=action_id)


def lock_held(action_id: UUID, holder: UUID | None) -> Action:
    """The same for the attempt that holds its step; None: whoever is no attempt. Raises NotVisible, Stale."""
    action = lock_action(action_id)
    if holder is not None:
        refuse_without_lease(action.step_id, holder)
    return action


def lock_requests_under(fence: UUID) -> None:
    """The requests behind what this attempt has redeemed, for whoever locks its execution next."""
    sent = Action.objects.filter(fence=fence, status=ActionStatus.REDEEMED).values("approval_id")
    list(ApprovalRequest.objects.select_for_update().filter(pk__in=sent).order_by("pk"))


def refuse_without_lease(step_id: UUID | None, fence: UUID | None) -> None:
    """Whoever acts for one of our own steps holds its lease at this moment, by the database's clock. Called under the locks.

    A worker that was stopped beyond its lease comes back with what it has read before: it proposes nothing, sends nothing
    and doubts nothing that is somebody else's now. Raises Stale.
    """
    if step_id is None:
        return
    if fence is None:
        raise Stale("A step's action is redeemed under its attempt. Nothing was sent.")
    holds = Attempt.objects.filter(
        pk=fence,
        step_id=step_id,
        step__attempt_id=fence,
        status=AttemptStatus.RUNNING,
        lease_expires_at__gt=Now(),
    )
    if not holds.exists():
        raise Stale("This attempt no longer holds the step's lease. Nothing was sent.")


def refuse_foreign(action: Action, by: Actor) -> None:
    """An agent sees its own actions in its own units; anything else is not there."""
    if by.kind == "agent" and (action.unit_id not in by.unit_ids or action.agent != by.name):
        raise NotVisible("There is no such action.")
