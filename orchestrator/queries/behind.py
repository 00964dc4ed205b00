"""Behind a figure: the executions, calls, dead letters or alerts that it counts. Each has as many rows here as its page says.

The pages count in one statement what these conditions ask one by one; a test holds every figure of every page beside its list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import CharField, Exists, F, Model, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat, Left

from approvals.models import ApprovalRequest
from audit.models import AuditEvent
from budgets.models import CostBasis, LedgerEntry
from budgets.units import below
from orchestrator.models import Action, Alert, Attempt, DeadLetter, Denial, Execution
from orchestrator.models.execution import UNDO
from orchestrator.statuses import ActionStatus, AlertStatus, AttemptStatus, DeadLetterStatus, ExecutionStatus

# Q or Exists, plain or combined: Django's stubs have no name for that.
Condition = Any
Row = TypeVar("Row", bound=Model)
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
    rows = rows.filter(created_at__gte=asked.since, created_at__lt=asked.until).exclude(workflow__startswith=UNDO)
    rows = _in_place(rows, asked)
    if asked.line:
        rows = _of_line(rows, asked)
    for condition in _CONDITIONS.get(asked.figure, ()):
        rows = rows.filter(condition)
    return rows


def calls_behind(rows: QuerySet[Action], asked: Behind) -> QuerySet[Action]:
    """Those of these calls that the figure counts: of the executions of its line, an agent's own; or any in doubt or refused."""
    if asked.figure in DOUBTS:
        return _in_place(rows, asked).filter(_in_doubt(asked), DOUBTS[asked.figure])
    if asked.figure in REFUSED:
        rows = _in_place(rows, asked).filter(created_at__gte=asked.since, created_at__lt=asked.until)
        return rows.filter(REFUSED[asked.figure], status=ActionStatus.DENIED)
    inside = executions_behind(Execution.objects.all(), asked).order_by().values("pk")
    rows = rows.filter(execution_id__in=inside)
    if asked.line and asked.by == "agent":
        rows = rows.filter(agent=asked.line)
    return rows.filter(status=ActionStatus.DENIED) if asked.figure == "denied" else rows


def letters_behind(rows: QuerySet[DeadLetter], asked: Behind) -> QuerySet[DeadLetter]:
    """Those of these dead letters that the figure counts: they came up in the range."""
    rows = _in_place(rows, asked).filter(first_at__gte=asked.since, first_at__lt=asked.until)
    return rows.filter(LETTERS[asked.figure])


def alerts_behind(rows: QuerySet[Alert], asked: Behind) -> QuerySet[Alert]:
    """Those of these alerts that the figure counts: they were last opened in the range."""
    opened = AuditEvent.objects.filter(object_id=_RUN, event="raised_alert.open").order_by("-at").values("at")[:1]
    found: Any = _in_place(rows, asked).alias(opened_at=Subquery(opened))
    alerts: QuerySet[Alert] = found.filter(ALERTS[asked.figure], opened_at__gte=asked.since, opened_at__lt=asked.until)
    return alerts


def _in_place(rows: QuerySet[Row], asked: Behind) -> QuerySet[Row]:
    return rows if asked.tree is None else rows.filter(unit_id__in=below(asked.tree))


def _in_doubt(asked: Behind) -> Condition:
    came_up = AuditEvent.objects.filter(event="action.unknown", at__gte=asked.since, at__lt=asked.until)
    return Q(pk__in=came_up.values("object_id"))


def _of_line(rows: QuerySet[Execution], asked: Behind) -> QuerySet[Execution]:
    if asked.by == "agent":
        return rows.filter(Exists(Action.objects.filter(execution_id=_RUN, agent=asked.line)))
    return rows.alias(line_name=NAMES[asked.by]).filter(line_name=asked.line)


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
    "undone": (Exists(Execution.objects.filter(parent_id=_RUN, workflow__startswith=UNDO)),),
    "leaked": (Q(status__in=FAILED) | Exists(DeadLetter.objects.filter(execution_id=_RUN)),),
    "measured": (_SUCCEEDED, Exists(_TRIES), ~Exists(_TRIES.exclude(status__in=_UNDISTURBED))),
    # Latency by stage: a success of which an attempt is known.
    "staged": (_SUCCEEDED, Exists(_TRIES)),
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
# Time to resolution: of what came up in the range, what is over and what is not.
_LETTER_WAITS = Q(status__in=(DeadLetterStatus.OPEN, DeadLetterStatus.REDRIVEN))
_DOUBT_WAITS, _ALERT_OVER = Q(status=ActionStatus.UNKNOWN), Q(status=AlertStatus.RESOLVED)
LETTERS: Mapping[str, Condition] = {"letters_resolved": ~_LETTER_WAITS, "letters_open": _LETTER_WAITS}
DOUBTS: Mapping[str, Condition] = {"doubts_resolved": ~_DOUBT_WAITS, "doubts_open": _DOUBT_WAITS}
ALERTS: Mapping[str, Condition] = {"alerts_resolved": _ALERT_OVER, "alerts_open": ~_ALERT_OVER}
# What the gate said no to, by kind, in executions and outside of any.
REFUSED: Mapping[str, Condition] = {
    **{f"refused_{kind}": Q(denial=kind) for kind in Denial.values},
    "refused_untold": Q(denial=""),
}
FIGURES = ("asked", *_CONDITIONS, *CALLS, *LETTERS, *DOUBTS, *ALERTS, *REFUSED)
# What the lines of a page are, by the words of orchestrator.health.levels.GROUPS.
NAMES: Mapping[str, F | Concat] = {
    "workflow": F("workflow"),
    "unit": F("unit_title"),
    "release": Concat(
        F("workflow"), Value(" "), F("release__version"), Value(" ("), Left("release__digest", 8), Value(")"),
        output_field=CharField(),
    ),
}  # fmt: skip
LINES = (*NAMES, "agent")
