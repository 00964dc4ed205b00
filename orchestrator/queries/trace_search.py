"""The search for traces: what began one, narrowed by anything that happened in it. A trace is what one execution began, with
whatever undid it; what the reader may not see of it neither matches nor counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from audit.actors import Actor
from audit.queries import COUNTED_UP_TO
from budgets.models import LedgerEntry
from orchestrator.models import Execution
from orchestrator.queries.costs import Cost, costs_by
from orchestrator.queries.executions import ExecutionFilters, ExecutionList, listed, narrowed
from orchestrator.queries.executions import choices as of_executions
from orchestrator.queries.offered import callers
from orchestrator.queries.trace_conditions import CONDITIONS

FEWER_COUNTED = 1_000


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
    begun = (max(filter(None, (filters.since, filters.begun_from)), default=None), filters.begun_until)
    for name, value in asked.items():
        rows = rows.filter(CONDITIONS[name](actor, value, begun))
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
    """What the filters offer."""
    told = of_executions(actor)
    return {**told, **callers(actor, (name for name, _ in told["workflow"]))}
