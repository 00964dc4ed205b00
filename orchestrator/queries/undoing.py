"""How far undone an execution is, and how often executions are undone: both from stored rows, neither a column of its own."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from audit.actors import Actor
from orchestrator.models import Action, Execution
from orchestrator.models.definition import Effect
from orchestrator.models.execution import UNDO
from orchestrator.operations.undo_plan import HAD_EFFECT
from orchestrator.statuses import EXECUTION, ActionStatus, ExecutionStatus


@dataclass(frozen=True, slots=True)
class Undoing:
    """The last time somebody asked to undo it, and what is undone by now."""

    run: Execution
    undone: int
    left: int

    @property
    def is_under_way(self) -> bool:
        return not self.run.is_final

    @property
    def is_stuck(self) -> bool:
        return bool(self.run.status == ExecutionStatus.DEAD_LETTERED)

    @property
    def state(self) -> str:
        """As the badge of an execution says it."""
        if self.is_under_way:
            return "compensating"
        if not self.undone:
            return "not_compensated"
        return "partly_compensated" if self.left else "compensated"

    @property
    def effects(self) -> int:
        return self.undone + self.left


def undoings_of(executions: Iterable[Execution]) -> dict[UUID, Undoing]:
    """Of those that somebody asked to undo. One query where there are none, two where there are."""
    ids = [execution.pk for execution in executions]
    runs: QuerySet[Execution] = Execution.objects.undoing().filter(parent_id__in=ids).order_by("created_at", "id")
    last = {run.parent_id: run for run in runs.defer("envelope", "output") if run.parent_id}
    counts = _effects(last)
    return {
        pk: Undoing(
            run,
            counts[pk].get(ActionStatus.UNDONE, 0),
            sum(counts[pk].values()) - counts[pk].get(ActionStatus.UNDONE, 0),
        )
        for pk, run in last.items()
    }


def _effects(ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """What each of these did to the world, by status. What is in doubt, or was done by hand, counts as not undone."""
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    ids = list(ids)
    if ids:
        rows = Action.objects.filter(execution_id__in=ids, undoes_id__isnull=True, status__in=HAD_EFFECT)
        rows = rows.exclude(effect=Effect.READ)
        for pk, status, number in rows.order_by().values_list("execution_id", "status").annotate(n=Count("id")):
            found[pk][status] = number
    return found


@dataclass(frozen=True, slots=True)
class Rollback:
    """One workflow in one range of time. What is counted was started in the range and is over."""

    workflow: str
    ended: int
    compensated: int = 0
    partly: int = 0
    not_compensated: int = 0
    under_way: int = 0

    @property
    def asked(self) -> int:
        return self.compensated + self.partly + self.not_compensated + self.under_way

    @property
    def percent(self) -> float:
        """How many of a hundred ended executions somebody had to undo."""
        return 100 * self.asked / self.ended if self.ended else 0.0


_COLUMNS = {
    "compensating": "under_way",
    "compensated": "compensated",
    "partly_compensated": "partly",
    "not_compensated": "not_compensated",
}


def rollback_rates(actor: Actor, *, since: datetime | None = None, unit: str = "") -> list[Rollback]:
    """Per workflow, the most undone first. Undoing executions are not counted among the ended ones."""
    rows: QuerySet[Execution] = Execution.objects.visible_to(actor).filter(status__in=EXECUTION.final)
    rows = rows.exclude(workflow__startswith=UNDO).filter(_within(since, unit))
    ended = dict(rows.order_by().values_list("workflow").annotate(n=Count("id")))
    asked = Execution.objects.undoing().values("parent_id")
    undone = list(rows.filter(pk__in=asked).only("id", "workflow"))
    states = undoings_of(undone)
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for execution in undone:
        counts[execution.workflow][_COLUMNS[states[execution.pk].state]] += 1
    found = [Rollback(workflow, number, **counts[workflow]) for workflow, number in ended.items()]
    return sorted(found, key=lambda row: (-row.percent, row.workflow))


def _within(since: datetime | None, unit: str) -> Q:
    wanted: dict[str, Any] = {"created_at__gte": since, "unit_id": unit}
    return Q(**{name: value for name, value in wanted.items() if value})
