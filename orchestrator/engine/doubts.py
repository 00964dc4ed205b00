"""One of our own steps comes back to a call that was sent and never answered. Looked up first; sent again only where one
send cannot act twice; else parked, to be looked up again later, or for a person.
"""

from dataclasses import dataclass

from orchestrator.engine import probes
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import Segment
from orchestrator.gate import reconcile
from orchestrator.gate.doubt import LOOKS, doubt_of, versions_of
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus


@dataclass(frozen=True, slots=True)
class Unknown:
    """Sent, no answer, and not to be sent again as it is: the step waits for a later look, or for a person."""

    why: str


def settle_doubt(segment: Segment, action: Action) -> Failure | Unknown | None:
    """None: it has moved, look at it again."""
    if action.effect == "read":
        reconcile.regrant(action_id=action.pk, by=ENGINE, why="it only reads", holder=segment.fence)
        return None
    doubt = doubt_of(action, versions_of([action.tool]))
    can_be_looked_up = bool(segment.released.tools.get(action.tool, {}).get("probe"))
    can_be_looked_up = can_be_looked_up and segment.spec.reconcile_before_retry
    if can_be_looked_up:
        found = probes.look_up(segment, action)
        if isinstance(found, Failure):
            return found if doubt.honours_key else _unread(segment, action, found)
        action = reconcile.apply_finding(
            action_id=action.pk, finding=found, by=ENGINE, honours_key=doubt.honours_key, holder=segment.fence
        )
        if action.status != ActionStatus.UNKNOWN:
            return None
    if doubt.honours_key:
        why = "the tool honours its key: one send cannot act twice"
        reconcile.regrant(action_id=action.pk, by=ENGINE, why=why, holder=segment.fence)
        return None
    return _park(segment, action, can_be_looked_up=can_be_looked_up)


def _unread(segment: Segment, action: Action, failure: Failure) -> Unknown:
    """The books could not be read. Where only they can tell, that is no reason to give up on the step."""
    reconcile.look_failed(action_id=action.pk, by=ENGINE, why=failure.message, holder=segment.fence)
    return _park(segment, action, can_be_looked_up=True)


def wait_for_a_person(segment: Segment, action: Action) -> Unknown:
    """It may have happened, and it must not be sent again as it is: somebody says what became of it."""
    return _park(segment, action, can_be_looked_up=False)


def _park(segment: Segment, action: Action, *, can_be_looked_up: bool) -> Unknown:
    again = reconcile.look_again_later(action_id=action.pk, can_be_looked_up=can_be_looked_up, holder=segment.fence)
    looked = f"{LOOKS} looks into its books found no answer" if can_be_looked_up else "nobody can look it up"
    following = (
        "its books gave no answer yet; they are asked again later" if again else f"{looked}, so a person has to say"
    )
    return Unknown(f"{action.tool} was sent and no answer came; {following}" + ("." if again else " what happened."))
