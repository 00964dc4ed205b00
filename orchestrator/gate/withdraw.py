"""The proposer takes an action back before it was carried out."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals import operations as approvals
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Refusal
from orchestrator.gate.announce import announce
from orchestrator.gate.locks import lock_action, refuse_foreign
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus


class TooLateToWithdraw(Refusal):
    """It was already carried out, or is already over."""

    code = "too_late_to_withdraw"


class BelongsToAStep(Refusal):
    """Its step would propose it anew, and people would have signed for nothing."""

    code = "belongs_to_a_step"


@transaction.atomic
def withdraw(*, action_id: UUID, by: Actor, why: str) -> Action:
    """Raises NotVisible, BelongsToAStep, TooLateToWithdraw."""
    action = lock_action(action_id)
    refuse_foreign(action, by)
    if action.step_id is not None:
        raise BelongsToAStep(
            "It is a call of an execution that runs here, which would ask again.",
            remedy=f"Reject it, or cancel execution {action.execution_id}.",
        )
    if action.status not in {ActionStatus.HELD, ActionStatus.SENT_BACK, ActionStatus.GRANTED}:
        raise TooLateToWithdraw(f"The action is {action.status}; there is nothing to take back.")
    approvals.withdraw(subject_id=action.pk, by=by, why=why)
    move(action, to=ActionStatus.WITHDRAWN, by=by, why=why, finished_at=Now())
    announce(action)
    return action
