"""Undoing is an action like any other: the compensating tool is proposed, judged, approved, keyed and recorded."""

import json
from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.refusals import NotVisible, Refusal
from orchestrator.gate.locks import refuse_foreign
from orchestrator.gate.propose import propose
from orchestrator.models import Action, Tool
from orchestrator.statuses import ActionStatus


class CannotBeUndone(Refusal):
    """No compensating tool, or nothing happened that could be undone."""

    code = "cannot_be_undone"


@transaction.atomic
def undo(*, action_id: UUID, by: Actor, why: str) -> Action:
    """Propose the compensation of a succeeded action: same arguments, its result as `undoes`. Raises CannotBeUndone."""
    action = Action.objects.filter(pk=action_id).first()
    if action is None:
        raise NotVisible("There is no such action.")
    refuse_foreign(action, by)
    if action.status != ActionStatus.SUCCEEDED:
        raise CannotBeUndone(f"The action is {action.status}: there is no effect to undo.")
    tool = Tool.objects.filter(name=action.tool, version=action.tool_version).first()
    if tool is None or not tool.compensate_with:
        raise CannotBeUndone(f"No compensating tool is registered for {action.tool}.")
    return propose(
        tool=tool.compensate_with,
        arguments=json.loads(action.arguments),
        agent=action.agent,
        unit_id=action.unit_id,
        by=by,
        context={"reason": why, "undoes": str(action.pk), "result": action.result},
        business_key=action.business_key,
        execution_id=action.execution_id,
        idempotency_hint=f"undo:{action.pk}",
        undoes=action,
    )
