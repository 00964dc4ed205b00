"""Sent, and no answer came: find out what happened before anything else. Never a blind second send."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit import lifecycle
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Stale
from orchestrator.gate.announce import announce
from orchestrator.gate.limits import observe
from orchestrator.gate.locks import lock_action, refuse_without_lease
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus

Happened = Literal["yes", "no", "partly", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the read-back probe saw, in the outside system's own books."""

    happened: Happened
    detail: str = ""
    result: Any = None


@transaction.atomic
def apply_finding(
    *, action_id: UUID, finding: Finding, by: Actor, honours_key: bool, holder: UUID | None = None
) -> Action:
    """Record what the probe saw. Yes: it succeeded. No: it may be sent again, with the same key. Unknown: unchanged.

    Partly: sending again completes it where the tool honours its key; elsewhere that would double the part
    that happened, so it stays unknown and a person decides.

    `holder`, here and below, is the attempt that asks. Raises Stale when it lost its lease: what it saw is old.
    """
    action = _locked(action_id, holder)
    if action.status != ActionStatus.UNKNOWN:
        raise Stale(f"The action is {action.status}, not unknown.")
    lifecycle.note(
        action,
        "action.reconciled",
        by=by,
        why=finding.detail,
        data={"happened": finding.happened, "business_key": action.business_key},
    )
    if finding.happened != "partly" or honours_key:
        follow(action, finding.happened, by=by, why=finding.detail, result=finding.result)
    return action


def follow(action: Action, happened: Happened, *, by: Actor, why: str, result: Any = None) -> None:
    """Move a locked unknown action to where the answer leads."""
    if happened == "yes":
        move(
            action,
            to=ActionStatus.SUCCEEDED,
            by=by,
            why=why,
            result=result,
            finished_at=Now(),
            failure_class="",
            message="",
        )
    elif happened in {"no", "partly"}:
        move(action, to=ActionStatus.GRANTED, by=by, why=why or "it did not happen", fence=None)
    announce(action)


@transaction.atomic
def mark_unknown(*, fence: UUID, by: Actor, why: str, holder: UUID | None = None) -> int:
    """A worker died holding redeemed actions: whether they were sent is unknown until somebody looks."""
    redeemed = Action.objects.filter(fence=fence, status=ActionStatus.REDEEMED).values_list("pk", flat=True)
    for action in [_locked(pk, holder) for pk in redeemed]:
        move(action, to=ActionStatus.UNKNOWN, by=by, why=why, failure_class="unknown_outcome", message=why)
        observe(action)
        announce(action)
    return len(redeemed)


@transaction.atomic
def regrant(*, action_id: UUID, by: Actor, why: str, holder: UUID | None = None) -> Action:
    """An authorised retry of an action that is known not to have happened, or whose tool honours its key."""
    action = _locked(action_id, holder)
    move(action, to=ActionStatus.GRANTED, by=by, why=why, fence=None)
    return action


def _locked(action_id: UUID, holder: UUID | None) -> Action:
    action = lock_action(action_id)
    if holder is not None:
        refuse_without_lease(action.step_id, holder)
    return action
