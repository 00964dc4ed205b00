"""Alerts: the list with its tabs, one alert with its history, and the short list of the first page."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, IntegerField, QuerySet, Value, When

from audit import scope
from audit.actors import Actor
from audit.lifecycle import database_now
from audit.queries import Keyset, Slice, Story, counted, story, visible_or_refuse
from orchestrator.models import Alert, Severity
from orchestrator.operations.alerts import candidates
from orchestrator.queries.behind import Behind, alerts_behind
from orchestrator.statuses import AlertStatus

TRAIL = "/audit/"
LATEST_FIRST = Keyset(("-last_at", "-id"))
# The rules of the engine that judge how well work goes, not whether it goes.
QUALITY_RULES = ("service_levels", "shifted_releases", "silent_steps", "dried_up")
# The tab's word, and what stands in it.
TABS = {"": "Not over", "mine": "Mine", "open": "Open", "acknowledged": "Acknowledged", "resolved": "Over"}


@dataclass(frozen=True, slots=True)
class AlertList:
    slice: Slice
    total: str
    now: datetime

    @property
    def rows(self) -> list[Alert]:
        return self.slice.rows


def alert_list(
    actor: Actor, *, tab: str = "", unit: str = "", severity: str = "", behind: Behind | None = None,
    after: str = "", before: str = "",
) -> AlertList:  # fmt: skip
    """Alerts of the units the reader sees, the one seen last on top. Behind a figure there are no tabs."""
    wanted = {"unit_id": unit, "severity": severity}
    mine = Alert.objects.visible_to(actor).filter(**{name: value for name, value in wanted.items() if value})
    rows = alerts_behind(mine, behind) if behind else _in_tab(mine, tab, actor)
    return AlertList(LATEST_FIRST.slice(rows, after=after, before=before), counted(rows), database_now())


def _in_tab(rows: Any, tab: str, actor: Actor) -> QuerySet[Alert]:
    if tab == "mine":
        found: QuerySet[Alert] = rows.active().owned_by(actor)
    elif tab in AlertStatus.values:
        found = rows.filter(status=tab)
    else:
        found = rows.active()
    return found


def for_the_role(actor: Actor, size: int) -> list[Alert]:
    """What this person should look at first."""
    return _first(Alert.objects.visible_to(actor), size)


def about_quality(actor: Actor, units: Collection[UUID], size: int) -> list[Alert]:
    """Of these units, what is out of its range, drifts or has gone silent."""
    return _first(Alert.objects.visible_to(actor).filter(unit_id__in=units, rule__in=QUALITY_RULES), size)


def _first(rows: Any, size: int) -> list[Alert]:
    """What is open before what somebody knows of, critical first, then the latest."""
    order = Case(When(status=AlertStatus.OPEN, then=Value(0)), default=Value(1), output_field=IntegerField())
    grave = Case(When(severity=Severity.CRITICAL, then=Value(0)), default=Value(1), output_field=IntegerField())
    return list(rows.active().order_by(order, grave, "-last_at", "-id")[:size])


@dataclass(frozen=True, slots=True)
class AlertPage:
    alert: Alert
    story: Story
    may_operate: bool
    is_muted: bool
    # The trail of a unit is for those who audit it.
    may_open_evidence: bool
    candidates: list[tuple[str, str]]

    @property
    def version(self) -> str:
        alert = self.alert
        return f"{alert.status}.{alert.count}.{alert.last_at.isoformat()}.{alert.owner_name}.{self.is_muted}"


def alert_page(actor: Actor, alert_id: UUID) -> AlertPage:
    """Everything the page of one alert shows. Raises NotVisible."""
    alert: Alert = visible_or_refuse(Alert.objects.visible_to(actor), alert_id, "alert")
    may = alert.unit_id in scope.unit_ids(actor, "operate")
    return AlertPage(
        alert=alert,
        story=story([alert.stream], names={alert.pk: str(alert)}, limit=300),
        may_operate=may,
        is_muted=alert.muted_until is not None and alert.muted_until > database_now(),
        may_open_evidence=alert.unit_id in scope.unit_ids(actor, "audit") or not alert.evidence.startswith(TRAIL),
        candidates=candidates(alert.unit_id) if may else [],
    )
