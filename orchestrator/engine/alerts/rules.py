"""Rules of alerts: each states what is so now, and nothing else. orchestrator.engine.alerts.alerting opens, tells and resolves.

A rule that cannot be asked says nothing: what it saw before stays as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count
from django.urls import reverse

from audit.lifecycle import database_now, run
from audit.models import AuditEvent
from audit.naming import names_of
from audit.presenters import facts_of
from orchestrator.engine.released import released
from orchestrator.health.levels import Judged, Span, culprit, judged, levels
from orchestrator.health.ranges import Ranges
from orchestrator.models import Breaker, Execution, FailureGroup, Severity, Step, Tool
from orchestrator.statuses import BreakerStatus, GroupStatus

# An event stands for "this happens" for so long after it happened last.
EVENT_HOURS = 24
# What lasts longer than its event is seen by a rule of its own: orchestrator.engine.alerts.lasting_rules.
LASTING_EVENTS = ["alert.unknown_outcome", "alert.budget"]


@dataclass(frozen=True, slots=True)
class Registered:
    """What a contract says: who owns it (a person's or a group's name), and what to do."""

    owner: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that is so. `looks_up` finds owner and runbook: asked only when the alert opens."""

    kind: str
    subject: str
    unit_id: UUID
    title: str
    severity: str
    detail: str
    evidence: str
    count: int
    first_at: datetime
    last_at: datetime
    looks_up: Callable[[], Registered]

    @property
    def identity(self) -> tuple[str, str, UUID]:
        return self.kind, self.subject, self.unit_id


# Every other event `alert.*`, whoever writes it: those of steps by workflow and step, others by what they are about.
_EVENTS = """
SELECT e.event, e.unit_id, COALESCE(x.workflow || ' / ' || s.key, e.object_id::text, e.stream) AS subject,
  count(*), min(e.at), max(e.at), (array_agg(e.id ORDER BY e.at DESC, e.id DESC))[1]
FROM audit_auditevent AS e
LEFT JOIN orchestrator_step AS s ON s.id = e.object_id
LEFT JOIN orchestrator_execution AS x ON x.id = s.execution_id
WHERE e.event LIKE 'alert.%%' AND e.event <> ALL(%s) AND e.unit_id IS NOT NULL
  AND e.at > clock_timestamp() - make_interval(hours => %s)
GROUP BY e.event, e.unit_id, 3
"""


def told_events() -> list[Seen]:
    """What was written into the trail as an alert within a day."""
    rows = run(_EVENTS, [LASTING_EVENTS, EVENT_HOURS])
    latest = AuditEvent.objects.in_bulk([row[6] for row in rows])
    steps = Step.objects.select_related("execution").defer("input", "output", "execution__input", "execution__output")
    known = steps.in_bulk([event.object_id for event in latest.values() if event.object_id])
    names = names_of(event.object_id for event in latest.values())
    return [_of_events(row, latest[row[6]], known, names) for row in rows]


def _of_events(row: Any, event: AuditEvent, steps: dict[UUID, Step], names: dict[UUID, str]) -> Seen:
    name, unit_id, subject, count, first_at, last_at, _ = row
    kind, facts = name.removeprefix("alert."), facts_of(event)
    step = steps.get(event.object_id) if event.object_id else None
    tool = "" if step else facts.get("tool", "")
    about = subject if step else names.get(event.object_id, "") if event.object_id else ""
    said = facts.get("severity")
    severity = said if said in Severity.values else Severity.WARNING
    return Seen(
        kind=kind, subject=subject, unit_id=unit_id, title=f"{kind.replace('_', ' ').capitalize()}: {about or subject}",
        severity=severity, detail=event.why, count=count, first_at=first_at, last_at=last_at,
        evidence=_page_of(event, step, tool), looks_up=partial(owner_of_call, step, tool),
    )  # fmt: skip


def _page_of(event: AuditEvent, step: Step | None, tool: str) -> str:
    if step is None:
        # A call that stands alone, or something else.
        return reverse("action", args=[event.object_id]) if tool else reverse("audit_event", args=[event.pk])
    return f"{reverse('execution', args=[step.execution_id])}?{urlencode({'step': step.key})}"


def owner_of_call(step: Step | None, tool: str) -> Registered:
    """As the release that failed has it; no release: the tool's in force, or nobody but the unit's owner."""
    if step is None:
        found = Tool.objects.active().filter(name=tool).values_list("owner", "runbook").first()
        return Registered(*found or ())
    contracts = released(step.execution.release_id)
    contract = contracts.tools.get(step.spec.get("tool") or "", {})
    agent = contracts.agents.get(step.spec.get("agent") or "", {})
    owner, runbook = (contract.get(name) or agent.get(name) or "" for name in ("owner", "runbook"))
    return Registered(owner, runbook)


def failure_groups() -> list[Seen]:
    """Causes that escalate, and those that came back where the fix should be."""
    now = database_now()
    grave = FailureGroup.objects.filter(status__in=[GroupStatus.ESCALATING, GroupStatus.REGRESSED])
    rows: Any = grave.annotate(held=Count("letters"))
    return [
        Seen(
            kind=f"failures_{group.status}", subject=str(group.pk), unit_id=group.unit_id,
            title=f"Failures {group.status}: {group}", severity=Severity.CRITICAL, detail=group.why or group.pattern,
            evidence=group.get_absolute_url(), count=group.held, first_at=now, last_at=group.seen_at,
            looks_up=partial(Registered, group.owner, group.runbook),
        )
        for group in rows
    ]  # fmt: skip


def breakers() -> list[Seen]:
    """Other systems to which nothing is sent because they keep failing. A limit of every unit belongs to none: see Limits."""
    rows = Breaker.objects.in_force().filter(status__in=[BreakerStatus.OPEN, BreakerStatus.TRYING])
    now = database_now()
    return [
        Seen(
            kind="breaker_open", subject=breaker.limit.name, unit_id=unit_id,
            title=f"Nothing is sent: {breaker.limit.name}", severity=Severity.WARNING, detail=breaker.why,
            evidence=reverse("limits"), count=max(breaker.failures, 1), first_at=now, last_at=now,
            looks_up=partial(owner_of_call, None, breaker.limit.tool),
        )
        for breaker in rows.select_related("limit")
        if (unit_id := breaker.limit.unit_id) is not None
    ]  # fmt: skip


def service_levels() -> list[Seen]:
    """Figures of a unit's last 24 hours that are out of their range, where there are enough executions to say so."""
    now = database_now()
    day = now - timedelta(hours=EVENT_HOURS)
    recent = Execution.objects.filter(created_at__gte=day).order_by().values_list("unit_id", flat=True).distinct()
    ranges = Ranges()
    spans = [Span(units=frozenset({unit_id}), since=day, until=now) for unit_id in recent]
    return [one for span in spans for one in _out_of_range(span, ranges)]


def _out_of_range(span: Span, ranges: Ranges) -> list[Seen]:
    """Of the unit as a whole, and of each workflow that has a range of its own."""
    whole, *groups = levels(span)
    out = [one for one in judged(whole, ranges.of(span.units)) if _alarms(one)]
    found = [(one, "", culprit(one.key, span, whole, groups)) for one in out]
    for group in groups:
        own = judged(group, ranges.of_workflow(span.units, group.called))
        found += [(one, group.called, "") for one in own if _alarms(one)]
    return [_of_level(span, *one) for one in found]


def _alarms(one: Judged) -> bool:
    return one.out and not one.is_few


def _of_level(span: Span, one: Judged, workflow: str, culprit: str) -> Seen:
    (unit_id,) = span.units
    said = f", says {one.set_by}" if one.set_by else ""
    return Seen(
        kind=f"level_{one.key}", subject=f"{one.key} / {workflow}" if workflow else one.key, unit_id=unit_id,
        title=f"Out of range: {one.title.lower()}{f' of {workflow}' if workflow else ''}",
        severity=Severity.WARNING, count=one.sample, first_at=span.until, last_at=span.until,
        detail=f"{one.reads}, acceptable is {one.limits}{said}. {culprit}".strip(),
        evidence=f"{reverse('levels')}?{urlencode({'unit': unit_id})}", looks_up=Registered,
    )  # fmt: skip


# By the name an alert keeps of the rule that saw it.
RULES: dict[str, Callable[[], list[Seen]]] = {
    "events": told_events,
    "failure_groups": failure_groups,
    "breakers": breakers,
}
# Those that read a day of executions: asked every few minutes.
SLOW_RULES: dict[str, Callable[[], list[Seen]]] = {"service_levels": service_levels}
