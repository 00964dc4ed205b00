"""How much goes out at a time: rate, calls under way, and a breaker for a system that keeps failing.

Asked inside the redeeming transaction, under the lock of each limit that covers the call, so that two who ask at once
cannot both have the last place. What is over a limit is refused with the time to ask again; nothing of it is lost.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from audit.actors import Actor, system
from audit.definitions import DefinitionStatus
from audit.glance import Glance
from audit.lifecycle import database_now, move
from audit.refusals import Refusal, Stale
from budgets.units import below, lineage
from orchestrator.models import Action, Breaker, Execution, Limit, Step
from orchestrator.models.limit import in_a_row
from orchestrator.statuses import ActionStatus, BreakerStatus, ExecutionStatus, StepStatus

LIMITS = system("limits")
LOOK_EVERY_SECONDS = 0.5
# So many seconds' worth of calls may go out at one moment after a pause; one may in any case.
BURST = timedelta(seconds=10)
# Who waits for a call under way to end asks again after this.
PLACE_SECONDS = 1.0


class Limited(Refusal):
    """Over a limit for now. Nothing was sent, and the grant stands: it is asked for again later."""

    code = "limited"
    status_code = 429

    def __init__(self, breaker: Breaker, says: str, seconds: float) -> None:
        reason = f" ({breaker.limit.why})" if breaker.limit.why else ""
        super().__init__(
            f"{says}{reason}. Nothing was sent.", remedy="Ask again after the time given; the grant stands until then."
        )
        self.limit_id = breaker.limit_id
        self.seconds = max(seconds, 0.1)
        self.retry_after = self.seconds


def _any_limit() -> bool:
    return bool(Limit.objects.filter(status=DefinitionStatus.ACTIVE).exists())


# Whether there is any limit at all: who has none pays next to nothing.
anything_is_limited = Glance(_any_limit, every_seconds=LOOK_EVERY_SECONDS)


def admit(action: Action) -> None:
    """Take a place under every limit that covers this call. Raises Limited, and then no place is taken anywhere."""
    if not anything_is_limited():
        return
    now = database_now()
    for breaker in _locked(action):
        _refuse_while_open(breaker, now)
        _refuse_full(breaker, action)
        _take_turn(breaker, now)


def observe(action: Action) -> None:
    """What became of a call counts for the breakers above it: an answer, whichever, is a good sign; none is a bad one.

    A call that reached for a stranger instead says nothing of them.
    """
    if action.failure_class == "policy" or not anything_is_limited():
        return
    answered = action.status == ActionStatus.SUCCEEDED or action.failure_class == "business"
    for breaker in _locked(action, limit__breaks_after__isnull=False):
        _answered(breaker) if answered else _failed(breaker, database_now())


def refuse_full_queue(unit_id: UUID) -> None:
    """Raises Limited where so many executions of the unit wait for a worker that another would only wait longer."""
    if not anything_is_limited():
        return
    rows = _reaching(unit_id).filter(limit__most_queued__isnull=False)
    for breaker in rows.select_related("limit"):
        queued = Execution.objects.filter(status=ExecutionStatus.QUEUED)
        if breaker.limit.unit_id:
            queued = queued.filter(unit_id__in=below(breaker.limit.unit_id))
        most = breaker.limit.most_queued
        if most is not None and queued.values("pk")[:most].count() >= most:
            raise Limited(breaker, f"The queue is full: {most} executions wait for a worker already", 5 * PLACE_SECONDS)


@transaction.atomic
def close(*, breaker_id: UUID, by: Actor, why: str) -> None:
    """A person knows that the other system answers again: calls go out at once. Raises Stale when it is closed already."""
    breaker = Breaker.objects.select_for_update(of=("self",)).select_related("limit").get(pk=breaker_id)
    if breaker.status == BreakerStatus.CLOSED:
        raise Stale("It is closed already: calls go out.")
    move(breaker, to=BreakerStatus.CLOSED, by=by, why=why, failures=0, until=None)


def _reaching(unit_id: UUID) -> Any:
    """A limit of every unit, of the unit, or of one above it."""
    return Breaker.objects.in_force().filter(Q(limit__unit_id=None) | Q(limit__unit_id__in=lineage(unit_id)))


def _locked(action: Action, **more: Any) -> list[Breaker]:
    rows = _reaching(action.unit_id).filter(
        limit__agent__in=["", action.agent], limit__tool__in=["", action.tool], **more
    )
    # One order for everybody.
    return list(rows.select_related("limit").select_for_update(of=("self",)).order_by("limit_id"))


def _refuse_while_open(breaker: Breaker, now: datetime) -> None:
    if breaker.status == BreakerStatus.CLOSED:
        return
    if breaker.until is not None and now < breaker.until:
        tries = "the next try is under way" if breaker.status == BreakerStatus.TRYING else "it is tried again then"
        since = f"{breaker.limit.name} is open after {in_a_row(breaker.failures)}"
        raise Limited(
            breaker, f"{since} until {breaker.until:%H:%M:%S} UTC; {tries}", (breaker.until - now).total_seconds()
        )
    until = now + timedelta(seconds=max(breaker.limit.break_seconds, settings.LEASE_SECONDS))
    to, why = BreakerStatus.TRYING, "the pause is over: one call tries"
    if breaker.status == BreakerStatus.TRYING:
        # Whoever tried before never said what came of it.
        move(breaker, to=BreakerStatus.OPEN, by=LIMITS, why="nothing was heard of the call that tried")
    move(breaker, to=to, by=LIMITS, why=why, until=until)


def _refuse_full(breaker: Breaker, action: Action) -> None:
    most = breaker.limit.at_once
    if most is None:
        return
    rows = Action.objects.under_way()
    if breaker.limit.unit_id:
        rows = rows.filter(unit_id__in=below(breaker.limit.unit_id))
    if breaker.limit.agent:
        rows = rows.filter(agent=action.agent)
    if breaker.limit.tool:
        rows = rows.filter(tool=action.tool)
    if rows.values("pk")[:most].count() >= most:
        raise Limited(
            breaker, f"{breaker.limit.name} allows {most} at once", PLACE_SECONDS * (1 + _waiting(breaker) / most)
        )


def _take_turn(breaker: Breaker, now: datetime) -> None:
    if not breaker.limit.per_minute:
        return
    apart = timedelta(minutes=1) / breaker.limit.per_minute
    ahead = max(breaker.next_at, now) + apart - now
    if ahead > max(BURST, apart):
        seconds = (ahead - max(BURST, apart) + apart * _waiting(breaker)).total_seconds()
        raise Limited(breaker, f"{breaker.limit.name} allows {breaker.limit.per_minute} a minute", seconds)
    Breaker.objects.filter(pk=breaker.pk).update(next_at=now + ahead)


def _waiting(breaker: Breaker) -> int:
    """How many steps wait for it already: who comes later asks later, so that not all of them ask at once."""
    return Step.objects.filter(status=StepStatus.THROTTLED, waits_for=breaker.limit_id).count()


def _answered(breaker: Breaker) -> None:
    if breaker.status != BreakerStatus.CLOSED:
        move(breaker, to=BreakerStatus.CLOSED, by=LIMITS, why="the other system answered", failures=0, until=None)
    elif breaker.failures:
        Breaker.objects.filter(pk=breaker.pk).update(failures=0)


def _failed(breaker: Breaker, now: datetime) -> None:
    failures = breaker.failures + 1
    until = now + timedelta(seconds=breaker.limit.break_seconds)
    tried = breaker.status == BreakerStatus.TRYING
    if tried or (breaker.status == BreakerStatus.CLOSED and failures >= (breaker.limit.breaks_after or 0)):
        why = "the call that tried failed, too" if tried else in_a_row(failures)
        move(breaker, to=BreakerStatus.OPEN, by=LIMITS, why=why, failures=failures, until=until)
    else:
        Breaker.objects.filter(pk=breaker.pk).update(failures=failures)
