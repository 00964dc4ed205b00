"""Rules of alerts about what lasts until somebody ends it: a threshold of a budget, a send that nobody can account for, an act
on many letters that does not go on by itself.

Beside `rules`, and like them: each states what is so now. The trail has an event of either, written
once; an alert that followed the event would say "over" a day later, of a budget that is still used up.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db.models import OuterRef, Subquery
from django.urls import reverse

from audit.lifecycle import database_now, run
from audit.models import AuditEvent
from budgets.models import BudgetWindow
from budgets.reserving import how_much_is_spent, told_units
from orchestrator.engine.alerts.rules import Registered, Seen, owner_of_call
from orchestrator.models import Action, Operation, Severity, Step
from orchestrator.statuses import EXECUTION, OperationStatus, StepStatus

UNKNOWN_OUTCOME = "unknown_outcome"
# A pause is meant to end within a shift; after that it is more likely forgotten than meant.
PAUSED_FOR = timedelta(hours=8)
_PAUSED_AT = Subquery(
    AuditEvent.objects.filter(object_id=OuterRef("pk"), event="operation.paused").order_by("-at").values("at")[:1]
)

# The thresholds that the windows of now have reached, and when somebody was told last of the window.
_REACHED = """
SELECT w.id, t.percent, t.percent = (SELECT min(lowest) FROM unnest(b.thresholds) AS lowest),
  COALESCE((SELECT max(e.at) FROM audit_auditevent AS e
  WHERE e.stream = 'budget:' || w.budget AND e.event = 'alert.budget' AND e.object_id = w.id), b.activated_at)
FROM budgets_budgetwindow AS w JOIN budgets_budget AS b ON b.name = w.budget AND b.status = 'active'
CROSS JOIN LATERAL (SELECT DISTINCT unnest(b.thresholds) AS percent) AS t
WHERE w.starts_at <= clock_timestamp() AND (w.ends_at IS NULL OR w.ends_at > clock_timestamp())
  AND w.spent * 100 >= w."limit" * t.percent
"""
# Sends without an answer, those of one step of a workflow together. Where a worker is about to look, nobody else has to.
_DOUBTED = """
SELECT COALESCE(x.workflow || ' / ' || s.key, a.id::text) AS subject, a.unit_id, count(*),
  min(COALESCE(a.redeemed_at, a.created_at)), max(COALESCE(a.redeemed_at, a.created_at)),
  (array_agg(a.id ORDER BY a.redeemed_at, a.id))[1]
FROM orchestrator_action AS a LEFT JOIN orchestrator_step AS s ON s.id = a.step_id
LEFT JOIN orchestrator_execution AS x ON x.id = s.execution_id
WHERE a.status = 'unknown' AND (s.id IS NULL OR x.status = ANY(%s) OR s.status <> ALL(%s))
GROUP BY subject, a.unit_id
"""
_AT_IT = [StepStatus.PENDING, StepStatus.IN_PROGRESS, StepStatus.SYSTEM_ERROR, StepStatus.SCHEDULED]


def budgets() -> list[Seen]:
    """Each threshold of a budget by itself: whoever knows of 80 per cent has not been told that nothing is left."""
    rows = run(_REACHED, [])
    windows = BudgetWindow.objects.in_bulk([row[0] for row in rows])
    return [
        Seen(
            kind="budget", unit_id=unit_id,
            # Below its limit nothing stands still yet: that wakes nobody at night.
            severity=Severity.CRITICAL if percent >= 100 else Severity.WARNING,
            # The first one's is what an older version called all of them: it stays the same alert, also while both run.
            subject=f"{window.pk}" if is_first else f"{window.pk} {percent}",
            title=f"Budget: {window.budget} has reached {percent} %", detail=how_much_is_spent(window),
            # The page of a budget of every unit opens only for those who see every unit.
            evidence=reverse("budget", args=[window.budget]) if window.unit_id else reverse("budgets"),
            count=1, first_at=at, last_at=at, looks_up=Registered,
        )
        for window, percent, is_first, at in ((windows[pk], *facts) for pk, *facts in rows)
        for unit_id in told_units(window)
    ]  # fmt: skip


def unknown_outcomes() -> list[Seen]:
    """Of a step together, of a foreign agent one by one. Each leads to the send that waits longest, where it is said."""
    rows = run(_DOUBTED, [list(EXECUTION.final), _AT_IT])
    oldest = Action.objects.defer("arguments", "context", "record", "result").in_bulk([row[5] for row in rows])
    steps = Step.objects.select_related("execution").defer("input", "output", "execution__input", "execution__output")
    known: dict[Any, Step] = steps.in_bulk([action.step_id for action in oldest.values() if action.step_id])
    return [_of_sends(row, oldest[row[5]], known) for row in rows]


def _of_sends(row: Any, oldest: Action, steps: dict[Any, Step]) -> Seen:
    subject, unit_id, number, first_at, last_at, _ = row
    step = steps.get(oldest.step_id)
    return Seen(
        kind=UNKNOWN_OUTCOME, subject=subject, unit_id=unit_id, severity=Severity.CRITICAL,
        title=f"Unknown outcome: {subject if step else oldest.tool}", count=number, first_at=first_at, last_at=last_at,
        detail=doubt_sentence(oldest),
        evidence=oldest.get_absolute_url(), looks_up=partial(owner_of_call, step, oldest.tool),
    )  # fmt: skip


def doubt_subject(action: Action, step: Step | None) -> str:
    """What an alert of such a send is about."""
    return f"{step.execution.workflow} / {step.key}" if step else str(action.pk)


def doubt_sentence(action: Action) -> str:
    return f"{action.tool} was sent, no answer came, and nobody has said what happened"


def operations() -> list[Seen]:
    """Acts on many letters that nobody goes on with: stopped by themselves, waiting for a second, or paused and forgotten."""
    statuses = [OperationStatus.HALTED, OperationStatus.SECOND_PERSON, OperationStatus.PAUSED]
    found: Any = Operation.objects.filter(status__in=statuses).annotate(paused_at=_PAUSED_AT)
    forgotten = database_now() - PAUSED_FOR
    return [
        _of_operation(one)
        for one in found
        if one.status != OperationStatus.PAUSED or (one.paused_at is not None and one.paused_at < forgotten)
    ]


def _of_operation(one: Any) -> Seen:
    """What stopped or was paused is its person's affair; a second person is anybody but them."""
    since = one.confirmed_at or one.created_at
    owner, detail = one.person_name, f"It stopped itself: {one.why}"
    if one.status == OperationStatus.SECOND_PERSON:
        owner, detail = "", f"{one.person_name} asks a second operator to agree"
    elif one.status == OperationStatus.PAUSED:
        since, detail = one.paused_at, f"{one.why}, and nobody has gone on with it: let it go on, or cancel it"
    return Seen(
        kind="operation_waits", subject=str(one.pk), unit_id=one.unit_id, severity=Severity.WARNING,
        title=f"Waits for somebody: {one}", evidence=one.get_absolute_url(), count=one.size, first_at=since, last_at=since,
        detail=detail, looks_up=partial(Registered, owner),
    )  # fmt: skip


LASTING_RULES: dict[str, Callable[[], list[Seen]]] = {
    "budgets": budgets,
    "unknown_outcomes": unknown_outcomes,
    "operations": operations,
}
