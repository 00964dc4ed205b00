"""The list of executions: every row a page shows, already fetched; and what cancelling one would end."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from audit.actors import Actor
from audit.queries import COUNTED_UP_TO, Keyset, Slice, counted
from budgets.models import LedgerEntry
from orchestrator.engine.cancel import NOT_SENT
from orchestrator.models import Action, Execution, Step
from orchestrator.queries.behind import Behind, executions_behind
from orchestrator.queries.costs import Cost, costs_by_execution
from orchestrator.queries.offered import offered
from orchestrator.queries.undoing import Undoing, undoings_of
from orchestrator.statuses import STEP, ActionStatus, StepStatus

NEWEST_FIRST = Keyset(("-created_at", "-id"))
WAITING_FOR = {
    StepStatus.AWAITING_APPROVAL: "people",
    StepStatus.SCHEDULED: "a retry",
    StepStatus.UNKNOWN_OUTCOME: "an answer",
    StepStatus.BUDGET_HOLD: "budget",
    StepStatus.STOPPED: "a stop to be lifted",
    StepStatus.THROTTLED: "its turn under a limit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilters:
    """What the list is narrowed to."""

    state: str = ""
    workflow: str = ""
    unit: str = ""
    since: datetime | None = None
    q: str = ""
    waits: str = ""
    behind: Behind | None = None


@dataclass(frozen=True, slots=True)
class ExecutionRow:
    execution: Execution
    done: int
    skipped: int
    steps: int
    waiting_for: str
    took: timedelta | None
    cost: Cost | None
    undoing: Undoing | None = None


@dataclass(frozen=True, slots=True)
class ExecutionList:
    rows: list[ExecutionRow]
    slice: Slice
    total: str


def execution_list(
    actor: Actor, filters: ExecutionFilters, *, now: datetime, after: str = "", before: str = ""
) -> ExecutionList:
    return listed(narrowed(Execution.objects.visible_to(actor), filters), now=now, after=after, before=before)


Costs = Callable[[list[Execution]], Mapping[UUID, Cost]]


def own_costs(found: list[Execution]) -> Mapping[UUID, Cost]:
    return costs_by_execution(LedgerEntry.objects.of_executions([one.pk for one in found]))


def listed(
    rows: QuerySet[Execution],
    *,
    now: datetime,
    after: str,
    before: str,
    costs: Costs = own_costs,
    up_to: int = COUNTED_UP_TO,
) -> ExecutionList:
    """A page of these, newest first, each with what it cost; all of them counted, but no further than `up_to`."""
    rows = rows.select_related("release").defer("input", "output", "envelope", "release__bundle")
    found = NEWEST_FIRST.slice(rows, after=after, before=before)
    return ExecutionList(rows_of(found.rows, now, costs), found, counted(rows, up_to=up_to))


def narrowed(rows: QuerySet[Execution], filters: ExecutionFilters) -> QuerySet[Execution]:
    wanted = {
        "status": filters.state,
        "workflow": filters.workflow,
        "unit_id": filters.unit,
        "created_at__gte": filters.since,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.behind:
        rows = executions_behind(rows, filters.behind)
    if filters.waits:
        steps = Step.objects.filter(execution_id=OuterRef("pk"), status=filters.waits)
        rows = rows.filter(Exists(steps))
    return rows.filter(_matches(filters.q)) if filters.q else rows


def _matches(text: str) -> Q:
    found = Q(business_key__icontains=text) | Q(requester_name__icontains=text)
    tail = text.rpartition("-")[2].lower()
    return found | Q(id__iendswith=tail) if len(tail) >= 4 else found


def rows_of(executions: Iterable[Execution], now: datetime, costs: Costs = own_costs) -> list[ExecutionRow]:
    executions = list(executions)
    ids = [execution.pk for execution in executions]
    states: dict[UUID, dict[str, int]] = defaultdict(dict)
    counts = Step.objects.filter(execution_id__in=ids).values_list("execution_id", "status").annotate(n=Count("id"))
    for execution_id, status, number in counts.order_by():
        states[execution_id][status] = number
    paid = costs(executions)
    undoing = undoings_of(executions)
    return [
        _row(execution, states[execution.pk], paid.get(execution.pk), undoing.get(execution.pk), now)
        for execution in executions
    ]


def _row(
    execution: Execution, states: Mapping[str, int], cost: Cost | None, undoing: Undoing | None, now: datetime
) -> ExecutionRow:
    waiting = [word for status, word in WAITING_FOR.items() if states.get(status)]
    return ExecutionRow(
        execution=execution,
        done=states.get(StepStatus.SUCCESS, 0),
        skipped=states.get(StepStatus.SKIPPED, 0),
        steps=sum(states.values()),
        waiting_for="" if execution.is_final else ", ".join(waiting),
        took=took(execution.started_at, execution.finished_at, now),
        cost=cost,
        undoing=undoing,
    )


def took(started: datetime | None, finished: datetime | None, now: datetime) -> timedelta | None:
    return (finished or now) - started if started else None


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer."""
    found = offered(actor)
    return {
        "unit": [(str(pk), title) for pk, title in found.units],
        "workflow": [(name, name) for name in found.workflows],
    }


@dataclass(frozen=True, slots=True)
class Ending:
    """What cancelling would do, in numbers, for the page that asks for confirmation."""

    execution: Execution
    steps: int
    running: int
    held: int
    sent: int


def ending(execution: Execution) -> Ending:
    steps = dict(execution.steps.values_list("status").annotate(n=Count("id")).order_by())
    actions = dict(
        Action.objects.filter(execution_id=execution.pk).values_list("status").annotate(n=Count("id")).order_by()
    )
    live = sum(number for status, number in steps.items() if StepStatus.CANCELLED in STEP.edges[status])
    return Ending(
        execution, steps=live, running=steps.get(StepStatus.IN_PROGRESS, 0),
        held=sum(actions.get(one, 0) for one in NOT_SENT),
        sent=actions.get(ActionStatus.REDEEMED, 0),
    )  # fmt: skip
