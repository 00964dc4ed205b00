"""Sent, and no answer came: find out what happened before anything else. Never a blind second send."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit import lifecycle
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Stale
from budgets.operations import charge_tool_call
from orchestrator.gate.announce import announce
from orchestrator.gate.budgeting import place_of
from orchestrator.gate.compensation import mark_undone
from orchestrator.gate.doubt import LOOKS, REMIND_AFTER_SECONDS, pause_seconds
from orchestrator.gate.limits import observe
from orchestrator.gate.locks import lock_held
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus

Happened = Literal["yes", "no", "partly", "unknown"]
NOT_REPORTED = "its agent redeemed it, and no report came"


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

    What is not in their books may still be on its way there: where the tool honours no key, the first no is none yet.

    Partly: sending again completes it where the tool honours its key; elsewhere that would double the part
    that happened, so it stays unknown and a person decides.

    An effect found under a business key that two calls share may be the other's, so it says nothing: unknown.

    `holder`, here and below, is the attempt that asks. Raises Stale when it lost its lease: what it saw is old.
    """
    action = lock_held(action_id, holder)
    if action.status != ActionStatus.UNKNOWN:
        raise Stale(f"The action is {action.status}, not unknown.")
    if finding.happened in {"yes", "partly"} and _has_a_namesake(action):
        seen = f"{finding.detail}; " if finding.detail else ""
        why = f"{seen}another call was sent under the business key {action.business_key}, so their books cannot tell"
        finding = Finding("unknown", why)
    if finding.happened == "no" and not honours_key and not action.looks:
        seen = f"{finding.detail}; " if finding.detail else ""
        finding = Finding("unknown", f"{seen}it is not in their books yet, and may still be on its way")
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


def _has_a_namesake(action: Action) -> bool:
    """Was another call sent to this tool under the same business key? Then an effect in its books may be that one's."""
    others = Action.objects.sent_under_key_of(action).exclude(idempotency_key=action.idempotency_key)
    return bool(others.exists())


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
            in_doubt=False,
            **_NO_LOOKS,
        )
        mark_undone(action, by=by, why=why)
    elif happened in {"no", "partly"}:
        # Of what happened in part, the part is still there.
        is_there = action.in_doubt and happened == "partly"
        told: dict[str, Any] = {"fence": None, "in_doubt": is_there, **_NO_LOOKS}
        move(action, to=ActionStatus.GRANTED, by=by, why=why or "it did not happen", **told)
    announce(action)


def close_unsent(action: Action, *, by: Actor, why: str) -> None:
    """It did not happen, and nobody waits for it to happen: the locked unknown action ends as failed."""
    columns: dict[str, Any] = {"failure_class": "system", "message": f"It did not happen: {why}", "finished_at": Now()}
    move(action, to=ActionStatus.FAILED, by=by, why=why, in_doubt=False, **columns, **_NO_LOOKS)
    announce(action)


# Whatever was in doubt is settled; a later doubt is counted anew.
_NO_LOOKS: dict[str, Any] = {"looks": 0, "next_look_at": None}


def first_reminder(action: Action) -> Any:
    """A worker comes back to what a step of ours has sent; of what a foreign agent has, people are told at once."""
    return remind_after(REMIND_AFTER_SECONDS if action.step_id else 0)


def remind_after(seconds: int = REMIND_AFTER_SECONDS) -> Any:
    """When whoever has to say what happened is reminded, on the database's clock."""
    return Now() + timedelta(seconds=seconds)


@transaction.atomic
def look_failed(*, action_id: UUID, by: Actor, why: str, holder: UUID | None = None) -> None:
    """The other side's books could not be read: that counts as a look, and says nothing about what happened."""
    action = lock_held(action_id, holder)
    if action.status == ActionStatus.UNKNOWN:
        data = {"happened": "not answered", "business_key": action.business_key}
        lifecycle.note(action, "action.reconciled", by=by, why=why, data=data)


@transaction.atomic
def look_again_later(*, action_id: UUID, can_be_looked_up: bool, holder: UUID | None = None) -> bool:
    """Plan what is due next: another look while there are any left, else a reminder to a person. True: another look."""
    action = lock_held(action_id, holder)
    looks = action.looks + 1 if can_be_looked_up else LOOKS
    more = looks < LOOKS
    due = remind_after(pause_seconds(looks) if more else REMIND_AFTER_SECONDS)
    Action.objects.filter(pk=action_id, status=ActionStatus.UNKNOWN).update(looks=looks, next_look_at=due)
    return more


@transaction.atomic
def mark_unknown(*, fence: UUID, by: Actor, why: str, holder: UUID | None = None) -> int:
    """A worker died holding redeemed actions: whether they were sent is unknown until somebody looks.

    What became of a read is no question to anybody: it failed, and is read again where somebody still wants it.
    Nobody reports such a send any more, so what it costs by contract is charged here, as `report` does of an unknown outcome.
    """
    redeemed = Action.objects.filter(fence=fence, status=ActionStatus.REDEEMED).values_list("pk", flat=True)
    doubted = [action for pk in redeemed if (action := lock_held(pk, holder)).status == ActionStatus.REDEEMED]
    for action in doubted:
        if action.effect == "read":
            move(action, to=ActionStatus.FAILED, by=by, why=why, failure_class="lost", message=why, finished_at=Now())
        else:
            move(
                action,
                to=ActionStatus.UNKNOWN,
                by=by,
                why=why,
                failure_class="unknown_outcome",
                message=why,
                in_doubt=True,
                next_look_at=first_reminder(action),
            )
        observe(action)
        charge_tool_call(place_of(action))
        announce(action)
    return len(doubted)


@transaction.atomic
def regrant(*, action_id: UUID, by: Actor, why: str, holder: UUID | None = None) -> Action:
    """An authorised retry of an action that is known not to have happened, or whose tool honours its key."""
    action = lock_held(action_id, holder)
    move(action, to=ActionStatus.GRANTED, by=by, why=why, fence=None, **_NO_LOOKS)
    return action


def back_in_doubt(action: Action, *, by: Actor, why: str) -> None:
    """The locked action was granted again after a send that may have happened, and is not sent again: as open as before."""
    columns: dict[str, Any] = {"failure_class": "unknown_outcome", "message": why, "next_look_at": remind_after()}
    move(action, to=ActionStatus.UNKNOWN, by=by, why=why, **columns)
    announce(action)
