"""What takes an effect back: with which arguments, whether somebody is at it already, and that it is undone once it is."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from audit.actors import Actor
from audit.lifecycle import move
from orchestrator.gate.announce import announce
from orchestrator.gate.locks import lock_action
from orchestrator.models import Action, Execution, Tool
from orchestrator.models.action import CAME_TO_NOTHING
from orchestrator.statuses import EXECUTION, ActionStatus
from orchestrator.workflows.schemas import declared


def arguments_for(tool: Tool, undone: Action) -> dict[str, Any]:
    """What its contract declares: from the arguments of the effect, else from its result. Declares nothing: the arguments."""
    given: dict[str, Any] = json.loads(undone.arguments)
    names = declared(tool.input_schema)
    if not names:
        return given
    known = {**(undone.result if isinstance(undone.result, dict) else {}), **given}
    return {name: known[name] for name in names if name in known}


def standing(ids: Iterable[UUID]) -> dict[UUID, Action]:
    """The compensation that is under way or done for each of these; what came to nothing stands for nothing. One query."""
    # A failed one may be tried again for as long as its execution is not over.
    over = Execution.objects.filter(pk=OuterRef("execution_id"), status__in=EXECUTION.final)
    given_up = Q(step_id__isnull=True) | Q(failure_class="business") | Exists(over)
    rows = Action.objects.filter(undoes_id__in=list(ids)).exclude(status__in=CAME_TO_NOTHING)
    rows = rows.exclude(Q(status=ActionStatus.FAILED) & given_up)
    return {row.undoes_id: row for row in rows.order_by("created_at") if row.undoes_id}


def mark_undone(compensation: Action, *, by: Actor, why: str = "") -> None:
    """In the transaction in which the compensation is known to have happened."""
    if compensation.undoes_id is None:
        return
    undone = lock_action(compensation.undoes_id)
    if undone.status == ActionStatus.SUCCEEDED:
        data = {"compensation": str(compensation.pk), "tool": compensation.tool}
        move(undone, to=ActionStatus.UNDONE, by=by, why=why or f"taken back by {compensation.tool}", data=data)
        announce(undone)
