"""What may have happened in a trace, as conditions on what began it. What the reader may not see neither matches nor counts.

Where little of it happened at all, what happened is read first, and what began those traces is found by id; where much did, the
newest traces are walked through and each is looked into. A planner cannot know which: it takes what it does not find for common.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
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
from orchestrator.queries.among import among
from orchestrator.queries.behind import Condition

ANY = "any"
# About where reading all of it begins to take longer than walking until a page is full.
FEW = 20_000
_APART = "SELECT root_id, reaches FROM orchestrator_tracesapart(%(least)s, %(units)s)"


def _are_few(*shelves: QuerySet[Any]) -> bool:
    """Each of these; one statement."""
    return max(counted_at_once(*(rows.order_by()[: FEW + 1] for rows in shelves))) <= FEW


def _below(actor: Actor) -> QuerySet[Execution]:
    """What hangs under the execution that the search is at. There is an index of what joins a trace, and few do."""
    rows: QuerySet[Execution] = Execution.objects.visible_to(actor).filter(
        trace_id=OuterRef("trace_id"), root_id=OuterRef("root_id")
    )
    return rows.exclude(trace_id=F("id"))


def _somewhere(actor: Actor, *shelves: QuerySet[Any]) -> Condition:
    """True where one of these rows is of the execution that the search is at, or of one below it."""
    ids = [rows.order_by().filter(execution_id__isnull=False).values("execution_id") for rows in shelves]
    if _are_few(*shelves):
        first, *others = (Execution.objects.visible_to(actor).filter(pk__in=some).values("root_id") for some in ids)
        return among(first.union(*others, all=True))
    here = reduce(or_, (Q(Exists(rows.filter(execution_id=OuterRef("pk")))) for rows in shelves))
    return here | Exists(_below(actor).filter(here))


def _called(name: str) -> Callable[[Actor, str], Condition]:
    return lambda actor, value: _somewhere(actor, Action.objects.filter(**{name: value}))


def _failed(actor: Actor, kind: str) -> Condition:
    """An attempt or a call failed, in this way or in any."""
    # Said in any case: there is an index of those that failed at all.
    so = ~Q(failure_class="") & (Q() if kind == ANY else Q(failure_class=kind))
    return _somewhere(actor, Attempt.objects.filter(so), Action.objects.filter(so))


def _took(_: Actor, time: timedelta) -> Condition:
    rows = Execution.objects.filter(finished_at__isnull=False).alias(took=F("finished_at") - F("created_at"))
    slow = rows.filter(took__gte=time).order_by()
    return among(slow.values("pk")) if _are_few(slow) else Q(finished_at__gte=F("created_at") + time)


def _cost(actor: Actor, least: Decimal) -> Condition:
    """So much in one currency: they are never added up. One total tells of a trace, except of those that are told apart."""
    units = list(scope.unit_ids(actor, "view"))
    apart = run(_APART, {"least": least, "units": units})
    reaching = [pk for pk, reaches in apart if reaches]
    alone = ~Q(among([pk for pk, _ in apart], "execution_id"))
    totals = RunTotal.objects.filter(alone, cost__gte=least, execution_id__isnull=False).order_by()
    if _are_few(totals):
        return among(
            totals.values("execution_id").union(Execution.objects.filter(among(reaching)).values("pk"), all=True)
        )
    return Exists(totals.filter(execution_id=OuterRef("pk"))) | Q(among(reaching))


CONDITIONS: Mapping[str, Callable[[Actor, Any], Condition]] = {
    "agent": _called("agent"),
    "tool": _called("tool"),
    "error": _failed,
    "slower": _took,
    "cost": _cost,
    "begun_from": lambda actor, moment: Q(created_at__gte=moment),
    "begun_until": lambda actor, moment: Q(created_at__lt=moment),
}
