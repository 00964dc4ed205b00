"""What is due about a send nobody answered for: another look into the other side's books, or a word to whoever must say."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit import lifecycle
from orchestrator.engine.alerts.alerting import tell_again
from orchestrator.engine.alerts.lasting_rules import UNKNOWN_OUTCOME, doubt_sentence, doubt_subject
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.resume import resume_step
from orchestrator.gate.doubt import LOOKS
from orchestrator.gate.locks import lock_action
from orchestrator.gate.reconcile import remind_after
from orchestrator.models import Action, Step
from orchestrator.statuses import ActionStatus, StepStatus


def due() -> Any:
    """Unknown actions about which something is to be done now, by the database's clock."""
    return Action.objects.unknown().filter(next_look_at__lte=Now())


@transaction.atomic
def act(action_id: UUID) -> bool:
    """Look again if that can help, else remind. Either is planned once: the next time is set in the same transaction."""
    action = lock_action(action_id)
    if not due().filter(pk=action_id).exists():
        return False
    step = Step.objects.select_related("execution").filter(pk=action.step_id).first() if action.step_id else None
    Action.objects.filter(pk=action_id, status=ActionStatus.UNKNOWN).update(next_look_at=remind_after())
    if step is not None and step.status == StepStatus.UNKNOWN_OUTCOME and action.looks < LOOKS:
        resume_step(step_id=step.pk, by=ENGINE, why="time to look it up again")
    else:
        _remind(action, step)
    return True


def _remind(action: Action, step: Step | None) -> None:
    why = doubt_sentence(action)
    lifecycle.note(action, "action.reminded", by=ENGINE, why=why)
    data = {"step": step.key} if step else {"tool": action.tool}
    lifecycle.note(step or action, "alert.unknown_outcome", by=ENGINE, why=why, data=data)
    tell_again(UNKNOWN_OUTCOME, doubt_subject(action, step), action.unit_id)
