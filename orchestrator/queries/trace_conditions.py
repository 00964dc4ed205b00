"""What may have happened in a trace, as conditions on what began it. What the reader may not see neither matches nor counts.

Where little of it happened at all, what happened is read first, and what began those traces is found by id; where much did, the
newest traces are walked through, and each is looked up in what happened, which is read once, or, where that is too much to keep,
looked into. A planner cannot know which: it takes what it does not find for common.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from audit import scope
from audit.actors import Actor
from audit.lifecycle import run
from audit.queries import counted_at_once
from orchestrator.models import Action, Attempt, Execution, RunTotal
from orchestrator.queries.among import ROOM, among, kept
from orchestrator.queries.behind import Condition

ANY = "any"
# About where reading all of it begins to take longer than walking until a page is full.
FEW = 20_000
# So many of each kind are kept for a walk: of both kinds together there is room.
KEPT = ROOM // 2
# No more than these are told to the walk.
FEW_NEWER = 1_000
Begun = tuple[datetime | None, datetime | None]
# Of whom, what is asked, and when what is looked for was begun at all.
Happened = Callable[[Actor, Any, Begun], Condition]
# Day by day from the newest one, until there are so many: the inner limit keeps it to that order.
_DAYS = """
SELECT found.day, count(*) FROM (
  SELECT d.day::date FROM generate_series(
    least(%(last)s::date, (SELECT max(day) FROM orchestrator_runtotal))::timestamp,
    greatest(%(first)s::date, (SELECT min(day) FROM orchestrator_runtotal))::timestamp, interval '-1 day') AS d (day),
  LATERAL (
    SELECT FROM orchestrator_runtotal AS t WHERE t.day = d.day::date AND t.cost >= %(least)s LIMIT %(most)s) AS dear
  LIMIT %(most)s) AS found
GROUP BY found.day ORDER BY found.day DESC
"""
_APART = "SELECT root_id, reaches FROM orchestrator_tracesapart(%(least)s, %(units)s)"


def _most(*shelves: QuerySet[Any], up_to: int = FEW) -> int:
    """Of the fullest of these; counted a little further than this. One statement."""
    return max(counted_at_once(*(rows.order_by()[: up_to + 1] for rows in shelves)))


def _below(actor: Actor) -> QuerySet[Execution]:
    """What hangs under the execution that the search is at. There is an index of what joins a trace, and few do."""
    rows: QuerySet[Execution] = Execution.objects.visible_to(actor).filter(
        trace_id=OuterRef("trace_id"), root_id=OuterRef("root_id")
    )
    return rows.exclude(trace_id=F("id"))


def _somewhere(actor: Actor, *shelves: QuerySet[Any]) -> Condition:
    """True where one of these rows is of the execution that the search is at, or of one below it."""
    ids = [rows.order_by().filter(execution_id__isnull=False).values("execution_id") for rows in shelves]
    most = _most(*shelves, up_to=KEPT)
    if most <= FEW:
        first, *others = (Execution.objects.visible_to(actor).filter(pk__in=some).values("root_id") for some in ids)
        return among(first.union(*others, all=True))
    if most <= KEPT:
        here = reduce(or_, (Q(kept(some)) for some in ids))
        # In the order of the index of what joins a trace: few do, which the planner cannot know.
        joined = Execution.objects.visible_to(actor).exclude(trace_id=F("id")).filter(here).order_by("trace_id")
        return here | Q(kept(joined.values("root_id")))
    here = reduce(or_, (Q(Exists(rows.filter(execution_id=OuterRef("pk")))) for rows in shelves))
    return here | Exists(_below(actor).filter(here))


def _called(name: str) -> Happened:
    return lambda actor, value, _: _somewhere(actor, Action.objects.filter(**{name: value}))


def _failed(actor: Actor, kind: str, _: Begun) -> Condition:
    """An attempt or a call failed, in this way or in any."""
    # Said in any case: there is an index of those that failed at all.
    so = ~Q(failure_class="") & (Q() if kind == ANY else Q(failure_class=kind))
    return _somewhere(actor, Attempt.objects.filter(so), Action.objects.filter(so))


def _took(_: Actor, least: timedelta, __: Begun) -> Condition:
    rows = Execution.objects.filter(finished_at__isnull=False).alias(took=F("finished_at") - F("created_at"))
    slow = rows.filter(took__gte=least).order_by()
    return among(slow.values("pk")) if _most(slow) <= FEW else Q(finished_at__gte=F("created_at") + least)


def _cost(actor: Actor, least: Decimal, begun: Begun) -> Condition:
    """So much in one currency: they are never added up. One total tells of a trace, except of those that are told apart."""
    apart = run(_APART, {"least": least, "units": list(scope.unit_ids(actor, "view"))})
    reaching = [pk for pk, reaches in apart if reaches]
    alone = ~Q(among([pk for pk, _ in apart], "execution_id"))
    totals = RunTotal.objects.filter(alone, cost__gte=least, day__isnull=False).order_by()
    days = _newest_days(least, begun)
    if sum(days.values()) <= FEW:
        own = totals.filter(day__in=list(days)).values("execution_id")
        return among(own.union(Execution.objects.filter(among(reaching)).values("pk"), all=True))
    each = Q(Exists(totals.filter(execution_id=OuterRef("pk"))))
    *newer, last = days
    if sum(days[day] for day in newer) <= FEW_NEWER:
        # The walk begins where they are many; what few are newer are known by id.
        reaching += totals.filter(day__in=newer).values_list("execution_id", flat=True)
        # Said first: what is newer is not looked into.
        each = Q(created_at__lt=datetime.combine(last, time.min, UTC) + timedelta(days=1)) & each
    return each | Q(among(reaching)) if reaching else each


def _newest_days(least: Decimal, begun: Begun) -> dict[date, int]:
    """On which days so many cost at least so much, the newest day first; no further than it takes to know that they are many."""
    first, last = map(_day, begun)
    return dict(run(_DAYS, {"least": least, "first": first, "last": last, "most": FEW + 1}))


def _day(moment: datetime | None) -> date | None:
    try:
        return moment.astimezone(UTC).date() if moment else None
    except OverflowError:  # at the end of the calendar: the rows themselves are compared with it, too
        return None


CONDITIONS: Mapping[str, Happened] = {
    "agent": _called("agent"),
    "tool": _called("tool"),
    "error": _failed,
    "slower": _took,
    "cost": _cost,
    "begun_from": lambda _, moment, __: Q(created_at__gte=moment),
    "begun_until": lambda _, moment, __: Q(created_at__lt=moment),
}
