"""Behind a figure: the executions, or the calls, that it counts. Each has as many rows here as its page says.

The pages count in one statement what these conditions ask one by one; a test holds every figure of every page beside its list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat, Left

from approvals.models import ApprovalRequest
from budgets.models import CostBasis, LedgerEntry
from budgets.units import below
from orchestrator.models import Action, Attempt, DeadLetter, Execution
from orchestrator.statuses import ActionStatus, AttemptStatus, ExecutionStatus

# Q or Exists, plain or combined: Django's stubs have no name for that.
Condition = Any
FAILED = (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT)
OVER = (ExecutionStatus.SUCCEEDED, *FAILED, ExecutionStatus.DEAD_LETTERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """One figure of one line of a page. `line` is the line's own name, and empty for all executions."""

    figure: str
    since: datetime
    until: datetime
    tree: UUID | None = None
    by: str = ""
    line: str = ""

    @property
    def query(self) -> str:
        """As the addresses of the lists say it."""
        said = {
            "figure": self.figure, "asked_from": self.since.isoformat(), "asked_until": self.until.isoformat(),
            "tree": self.tree, "by": self.by if self.line else "", "line": self.line,
        }  # fmt: skip
        return urlencode({name: value for name, value in said.items() if value})


def executions_behind(rows: QuerySet[Execution], asked: Behind) -> QuerySet[Execution]:
    """Those of these executions that the figure counts."""
    rows = rows.filter(created_at__gte=asked.since, created_at__lt=asked.until).exclude(workflow__startswith="undo:")
    if asked.tree is not None:
        rows = rows.filter(unit_id__in=below(asked.tree))
    if asked.line:
        rows = rows.alias(line_name=NAMES[asked.by]).filter(line_name=asked.line)
    for condition in _CONDITIONS.get(asked.figure, ()):
        rows = rows.filter(condition)
    return rows


def calls_behind(rows: QuerySet[Action], asked: Behind) -> QuerySet[Action]:
    """Those of these calls that the figure counts: calls of the executions of its line."""
    inside = executions_behind(Execution.objects.all(), asked).order_by().values("pk")
    rows = rows.filter(execution_id__in=inside)
    return rows.filter(status=ActionStatus.DENIED) if asked.figure == "denied" else rows


_RUN = OuterRef("pk")
_TRIES = Attempt.objects.filter(step__execution_id=_RUN, started_at__lte=F("finished_at"))
_UNDISTURBED = (AttemptStatus.SUCCEEDED, AttemptStatus.PARKED)
_REJECTED = Exists(Action.objects.filter(execution_id=_RUN, status=ActionStatus.REJECTED))
_LINES_PAID = LedgerEntry.objects.filter(execution_id=_RUN)
_UNKNOWN = _LINES_PAID.filter(basis=CostBasis.UNKNOWN, corrections__isnull=True)
_SUCCEEDED = Q(status=ExecutionStatus.SUCCEEDED)
_CONDITIONS: Mapping[str, tuple[Condition, ...]] = {
    # Service levels.
    "ended": (Q(status__in=OVER),),
    "succeeded": (_SUCCEEDED,),
    "completed": (Q(finished_at__isnull=False), ~Q(status=ExecutionStatus.DEAD_LETTERED)),
    "escalated": (Exists(ApprovalRequest.objects.filter(execution_id=_RUN, is_test=False)),),
    "undone": (Exists(Execution.objects.filter(parent_id=_RUN, workflow__startswith="undo:")),),
    "leaked": (Q(status__in=FAILED) | Exists(DeadLetter.objects.filter(execution_id=_RUN)),),
    "measured": (_SUCCEEDED, Exists(_TRIES), ~Exists(_TRIES.exclude(status__in=_UNDISTURBED))),
    "priced": (
        _SUCCEEDED,
        Exists(_LINES_PAID),
        ~Exists(_LINES_PAID.filter(amount__isnull=False).exclude(currency="USD")),
        ~Exists(_UNKNOWN),
    ),
    # What a success costs. A no of people ends an execution as failed, too.
    "failed": (Q(status__in=OVER), ~_SUCCEEDED, ~_REJECTED),
    "turned_down": (Q(status=ExecutionStatus.CANCELLED) | Q(status__in=OVER) & ~_SUCCEEDED & _REJECTED,),
    "under_way": (~Q(status__in=(*OVER, ExecutionStatus.CANCELLED)),),
}
CALLS = ("proposed", "denied")
FIGURES = ("asked", *_CONDITIONS, *CALLS)
# What the lines of a page are, by the words of orchestrator.health.levels.GROUPS.
NAMES: Mapping[str, F | Concat] = {
    "workflow": F("workflow"),
    "unit": F("unit_title"),
    "release": Concat(
        F("workflow"), Value(" "), F("release__version"), Value(" ("), Left("release__digest", 8), Value(")"),
        output_field=CharField(),
    ),
}  # fmt: skip
