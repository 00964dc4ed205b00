"""Engage and lift a stop. Engaging is easy: one person, one reason. Lifting is deliberate.

Not here: what a stop covers (approvals.rules.stopped), and what stands still meanwhile (approvals.operations.clocks).
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from approvals.models import NoticeKind, Stop, StopScope
from approvals.notifying import notices
from approvals.operations import clocks
from approvals.rules.administrators import is_administrator
from approvals.rules.stopped import GATE_LOCK, anything_is_stopped
from approvals.statuses import StopStatus
from audit import lifecycle, people, scope
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Forbidden, Invalid, NotVisible, Stale, refuse_blank
from budgets.models import BusinessUnit
from budgets.units import above

SHORTEST_REASON_TO_LIFT = 10


class NeedsAnother(Forbidden):
    """What one person stopped for everybody, another person lets go on."""

    code = "needs_another_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be stopped. `unit_id` None means everywhere."""

    scope: str
    agent: str = ""
    tool: str = ""
    unit_id: UUID | None = None


@transaction.atomic
def engage(*, target: Target, by: Actor, reason: str) -> Stop:
    """Let nothing that the target covers out from the moment this commits. Doing it twice is doing it once.

    Raises Invalid, NotVisible, Forbidden.
    """
    unit = _unit_of(target)
    refuse_unless_may_stop(by, target.unit_id, unit.title if unit else "")
    refuse_blank(reason, "Say why it is stopped.")
    _shut_the_gate()
    same = Stop.objects.engaged().filter(**_identity(target)).first()
    if same is not None:
        return same
    stop = Stop(
        **_identity(target),
        unit_title=unit.title if unit else "",
        reason=reason.strip()[:1000],
        engaged_by=by.key,
        engaged_by_name=by.name,
    )
    lifecycle.born(stop, by=by, why=stop.reason, data=_facts(stop))
    notices.tell_of_stop(NoticeKind.STOPPED, stop, by=by)
    # A first batch at once; with many thousands waiting the sweep goes on, and no clock loses a second by it.
    clocks.freeze()
    anything_is_stopped.again()
    return stop


@transaction.atomic
def lift(*, stop_id: UUID, by: Actor, why: str) -> Stop:
    """Let what waited go on, and its clocks run again by as much as they stood still. Needs a reason.

    A stop of everything is lifted by another administrator than the one who engaged it.
    Raises Invalid, NotVisible, Forbidden, Stale.
    """
    stop: Stop | None = Stop.objects.select_for_update().filter(pk=stop_id).first()
    if stop is None or not is_visible(stop, by):
        raise NotVisible("There is no such stop.")
    refuse_lifting(stop, by)
    if len(why.strip()) < SHORTEST_REASON_TO_LIFT:
        message = f"Say in at least {SHORTEST_REASON_TO_LIFT} characters why it is safe to go on."
        raise Invalid("Say why it is safe to go on.", errors=[("/reason", "too_short", message)])
    move(
        stop,
        to=StopStatus.LIFTED,
        by=by,
        why=why.strip()[:1000],
        data=_facts(stop),
        lifted_by=by.key,
        lifted_by_name=by.name,
        lifted_at=Now(),
        lifted_why=why.strip()[:1000],
    )
    notices.tell_of_stop(NoticeKind.LIFTED, stop, by=by)
    clocks.thaw()
    anything_is_stopped.again()
    return stop


def refuse_unless_may_stop(by: Actor, unit_id: UUID | None, unit_title: str) -> None:
    """Inside a unit: its operators. Everywhere: administrators."""
    if not by.is_person:
        raise Forbidden("Only people stop and let go on.", code="people_only")
    if unit_id is None and not is_administrator(by):
        raise Forbidden(
            "Stopping something in every business unit takes an administrator.",
            code="not_an_administrator",
            remedy="Stop it in the units you operate, or ask an administrator.",
        )
    if unit_id is not None and unit_id not in scope.unit_ids(by, "operate"):
        raise Forbidden(
            f"You need the operator role in {unit_title}. Ask an administrator of that unit.", code="not_an_operator"
        )


def refuse_lifting(stop: Stop, by: Actor) -> None:
    """The same right as engaging; and for a stop of everything, not the same person."""
    if not stop.is_engaged:
        raise Stale("This stop is already lifted.")
    refuse_unless_may_stop(by, stop.unit_id, stop.unit_title)
    if stop.scope == StopScope.EVERYTHING and stop.engaged_by in people.keys_of(by):
        raise NeedsAnother("You stopped everything, so another administrator lets it go on.")


def is_visible(stop: Stop, by: Actor) -> bool:
    """Everywhere is everybody's business; a unit's stop concerns whoever sees that unit or one below it."""
    seen = scope.unit_ids(by, "view")
    return stop.unit_id is None or stop.unit_id in seen or stop.unit_id in above(seen)


def _unit_of(target: Target) -> BusinessUnit | None:
    if target.unit_id is None:
        if target.scope == StopScope.UNIT:
            raise Invalid("Say which unit.", errors=[("/unit", "required", "Choose the unit to stop.")])
        return None
    unit = BusinessUnit.objects.filter(pk=target.unit_id).first()
    if unit is None:
        raise NotVisible("There is no such business unit.")
    return unit


def _identity(target: Target) -> dict[str, object]:
    """The columns that make two stops the same; what the scope does not ask about is empty."""
    kind = StopScope(target.scope)
    named = {StopScope.AGENT: target.agent, StopScope.TOOL: target.tool}.get(kind, "-")
    if not named:
        raise Invalid(f"Say which {kind}.", errors=[(f"/{kind}", "required", f"Choose the {kind} to stop.")])
    return {
        "scope": kind,
        "agent": target.agent if kind == StopScope.AGENT else "",
        "tool": target.tool if kind == StopScope.TOOL else "",
        "unit_id": None if kind == StopScope.EVERYTHING else target.unit_id,
    }


def _shut_the_gate() -> None:
    """Wait for whatever is passing this instant; whatever comes after finds the stop."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", GATE_LOCK)


def _facts(stop: Stop) -> dict[str, str]:
    return {"scope": stop.scope, "agent": stop.agent, "tool": stop.tool, "name": stop.target}
