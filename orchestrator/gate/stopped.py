"""What a stop does at the gate: nothing goes out, what is proposed waits, and what waited is let go on afterwards."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.expressions import RawSQL

from approvals.models import Stop
from approvals.rules import stopped
from approvals.rules.stopped import COVERS, Stopped
from audit.actors import system
from audit.lifecycle import move
from audit.refusals import Stale
from orchestrator.gate.announce import announce
from orchestrator.gate.locks import lock_action
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus

STOPS = system("stops")
_RELEASED = f"""
SELECT a.id FROM orchestrator_action AS a WHERE a.status = 'held' AND a.approval_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM approvals_stop_reach AS s WHERE {COVERS.format(row="a")})
"""


def refuse_stopped(action: Action) -> None:
    """Inside the redeeming transaction: no stop is engaged between this answer and its end. Raises Stopped."""
    stops = stopped.at_the_gate(unit_id=action.unit_id, agent=action.agent, tool=action.tool)
    if stops:
        raise Stopped(stops, "Nothing was sent.")


def wait_while_stopped(action: Action) -> None:
    """What nobody has to approve waits for the stop instead: held, with the stop's own words as the reason."""
    if action.verdict != "allow":
        return
    stops = stopped.covering(unit_id=action.unit_id, agents=[action.agent], tool=action.tool)
    if stops:
        action.verdict, action.reasons = "hold", [stops[0].sentence, *action.reasons]


def stops_on(actions: Iterable[Action]) -> dict[UUID, Stop]:
    """The stop that each of these waits for, where there is one. One statement while nothing is stopped."""
    if not Stop.objects.engaged().exists():
        return {}
    waiting = [action for action in actions if action.status in {ActionStatus.HELD, ActionStatus.GRANTED}]
    found = {
        action.pk: stopped.covering(unit_id=action.unit_id, agents=[action.agent], tool=action.tool)
        for action in waiting
    }
    return {pk: stops[0] for pk, stops in found.items() if stops}


def released() -> Any:
    """Held by a stop that has been lifted since."""
    return Action.objects.filter(pk__in=RawSQL(_RELEASED, []))


@transaction.atomic
def release(action_id: UUID) -> Action:
    """Grant what waited only for the stop. Raises Stale when it has gone another way, or is stopped again."""
    action = lock_action(action_id)
    if action.status != ActionStatus.HELD or action.approval_id is not None:
        raise Stale("It does not wait for a stop.")
    if stopped.covering(unit_id=action.unit_id, agents=[action.agent], tool=action.tool):
        raise Stale("It is stopped again.")
    move(action, to=ActionStatus.GRANTED, by=STOPS, why="the stop was lifted")
    announce(action)
    return action
