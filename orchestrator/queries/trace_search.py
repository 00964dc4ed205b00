"""The search for traces: what began one, narrowed by anything that happened in it. A trace is what one execution began, with
whatever undid it; what the reader may not see of it neither matches nor counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.queries import COUNTED_UP_TO
from budgets.models import LedgerEntry
from budgets.units import above
from orchestrator.gate.propose import WORKFLOW
from orchestrator.models import Action, Agent, Attempt, Execution, Tool
from orchestrator.queries.behind import Condition
from orchestrator.queries.costs import Cost, costs_by
from orchestrator.queries.executions import ExecutionFilters, ExecutionList, listed, narrowed
from orchestrator.queries.executions import choices as of_executions

ANY = "any"
FEWER_COUNTED = 1_000


def _at(name: str) -> OuterRef:
    """A column of the row that the search is at, two subqueries further in."""
    return OuterRef(OuterRef(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFilters(ExecutionFilters):
    """What the search is narrowed to, besides what executions are."""

    agent: str = ""
    tool: str = ""
    error: str = ""
    slower: timedelta | None = None
    cost: Decimal | None = None
    begun_from: datetime | None = None
    begun_until: datetime | None = None


def began(actor: Actor) -> QuerySet[Execution]:
    """Executions that nothing else began; each leads to its trace."""
    rows: QuerySet[Execution] = Execution.objects.visible_to(actor).filter(parent_id__isnull=True)
    return rows


def trace_list(
    actor: Actor, filters: TraceFilters, *, now: datetime, after: str = "", before: str = ""
) -> ExecutionList:
    """Newest first. What a row cost is what its whole trace cost."""
    rows = narrowed(began(actor), filters)
    asked = {name: value for name in CONDITIONS if (value := getattr(filters, name))}
    for name, value in asked.items():
        rows = rows.filter(CONDITIONS[name](actor, value))
    # What happened inside is looked up for each of them: counting thousands would take longer than all the rest.
    up_to = FEWER_COUNTED if asked else COUNTED_UP_TO
    return listed(rows, now=now, after=after, before=before, costs=lambda begun: costs_of(actor, begun), up_to=up_to)


def costs_of(actor: Actor, begun: Iterable[Execution]) -> dict[UUID, Cost]:
    """Of each whole trace; one statement, however many there are."""
    traces = {one.pk: one.trace_id for one in begun}
    below = Q(root_id__in=list(traces), trace_id__in=set(traces.values())) & ~Q(trace_id=F("id"))
    runs = Execution.objects.visible_to(actor).filter(Q(pk__in=list(traces)) | below)
    root = Subquery(Execution.objects.filter(pk=OuterRef("execution_id")).values("root_id"))
    lines = LedgerEntry.objects.filter(execution_id__in=runs.values("pk")).annotate(root=root)
    return {UUID(str(key)): cost for key, cost in costs_by(lines, "root")}


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: units and workflows of executions; agents and tools by their contracts, which are few."""
    told = of_executions(actor)
    seen = scope.unit_ids(actor, "view")
    near = Agent.objects.exclude(status=DefinitionStatus.DRAFT).filter(unit_id__in={*seen, *above(seen)})
    tools = Tool.objects.exclude(status=DefinitionStatus.DRAFT)
    agents = near.order_by().annotate(what=Value("agent")).values_list("what", "name")
    contracts = set(agents.union(tools.order_by().annotate(what=Value("tool")).values_list("what", "name")))
    own = {("agent", f"{WORKFLOW}{name}") for name, _ in told["workflow"]}
    return {
        **told,
        **{
            what: [(name, name) for kind, name in sorted(contracts | own) if kind == what] for what in ("agent", "tool")
        },
    }


def _below(actor: Actor) -> QuerySet[Execution]:
    """What hangs under the execution that the search is at. There is an index of what joins a trace, and few do."""
    rows: QuerySet[Execution] = Execution.objects.visible_to(actor).filter(
        trace_id=OuterRef("trace_id"), root_id=OuterRef("root_id")
    )
    return rows.exclude(trace_id=F("id"))


def _somewhere(actor: Actor, here: Condition) -> Condition:
    """True of the execution that the search is at, or of one below it: each is looked up by its index."""
    return here | Exists(_below(actor).filter(here))


def _called(name: str) -> Callable[[Actor, str], Condition]:
    def condition(actor: Actor, value: str) -> Condition:
        return _somewhere(actor, Exists(Action.objects.filter(execution_id=OuterRef("pk"), **{name: value})))

    return condition


def _failed(actor: Actor, kind: str) -> Condition:
    """An attempt or a call failed, in this way or in any."""
    # Said in any case: there is an index of those that failed at all.
    so = ~Q(failure_class="") & (Q() if kind == ANY else Q(failure_class=kind))
    tries = Attempt.objects.filter(so, execution_id=OuterRef("pk"))
    return _somewhere(actor, Exists(tries) | Exists(Action.objects.filter(so, execution_id=OuterRef("pk"))))


def _took(actor: Actor, time: timedelta) -> Condition:
    return Q(finished_at__gte=F("created_at") + time)


def _cost(actor: Actor, least: Decimal) -> Condition:
    """So much in one currency: they are never added up. Where nothing is below, only its own lines are read."""
    below = Execution.objects.visible_to(actor).filter(trace_id=_at("trace_id"), root_id=_at("root_id"))
    whole = Q(execution_id=OuterRef("pk")) | Q(execution_id__in=below.exclude(trace_id=F("id")).values("pk"))
    own = _reach(Q(execution_id=OuterRef("pk")), least)
    return own | (Exists(_below(actor)) & _reach(whole, least))


def _reach(which: Q, least: Decimal) -> Exists:
    lines = LedgerEntry.objects.filter(which, amount__isnull=False).order_by()
    return Exists(lines.values("currency").annotate(whole=Sum("amount")).filter(whole__gte=least))


CONDITIONS: Mapping[str, Callable[[Actor, Any], Condition]] = {
    "agent": _called("agent"),
    "tool": _called("tool"),
    "error": _failed,
    "slower": _took,
    "cost": _cost,
    "begun_from": lambda actor, moment: Q(created_at__gte=moment),
    "begun_until": lambda actor, moment: Q(created_at__lt=moment),
}
