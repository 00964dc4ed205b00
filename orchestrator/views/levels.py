"""Service levels: a page, the same as a file. Everybody sees those of their units."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit import scope
from audit.templatetags._format import UNKNOWN, duration, percentage
from audit.web import actor_of, csv_file
from budgets.money import PLACES
from budgets.units import below
from orchestrator.forms.base import midnight
from orchestrator.forms.days import LevelsForm
from orchestrator.health.level_rows import EXACT_UP_TO
from orchestrator.health.levels import FEW, Judged, Level, Span, culprit, judged, levels, usd
from orchestrator.health.ranges import Ranges
from orchestrator.health.refused import refused
from orchestrator.health.resolution import resolutions
from orchestrator.health.stages import STAGES
from orchestrator.queries.alerts import about_quality
from orchestrator.queries.behind import Behind
from orchestrator.queries.days import DAY, asked_days
from orchestrator.queries.work import units_to_choose
from orchestrator.views.drill import list_behind
from orchestrator.views.level_panels import (
    refused_file,
    refused_rows,
    resolution_file,
    resolution_rows,
    stage_cells,
    stage_header,
    stage_rows,
)

DAYS, MOST_DAYS = 7, 92
Value = float | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """One figure: its name in the file and in docs/kpis.md, its header, its value, what it is a share of, how it reads."""

    name: str
    title: str
    value: Callable[[Level], Value]
    reads: Callable[[Any], str]
    sample: str
    # The figure whose list the value leads to.
    behind: str


def _share(name: str, title: str, what: str, of: str) -> Column:
    return Column(name, title, lambda level: level.share(what, of), _part, of, what)


def _part(percent: float) -> str:
    """What is not all, or not nothing, does not read as if it were: of 10,000 one that failed is seen."""
    if 99.95 <= percent < 100:
        return "over 99.9 %"
    return "under 0.1 %" if 0 < percent < 0.05 else percentage(percent)


def _time(name: str, title: str, sample: str) -> Column:
    return Column(name, title, lambda level: level.times[name], duration, sample, sample)


COLUMNS = [
    Column("asked", "Executions", lambda level: level.counts["asked"], "{:,}".format, "", "asked"),
    _share("success_percent", "Success", "succeeded", "ended"),
    _share("completion_percent", "Completion", "completed", "asked"),
    _share("escalation_percent", "Escalation", "escalated", "asked"),
    _share("rollback_percent", "Rollback", "undone", "asked"),
    _share("leakage_percent", "Exception leakage", "leaked", "asked"),
    Column("denied", "Calls denied", lambda level: level.counts["denied"], "{:,}".format, "", "denied"),
    _share("unsafe_percent", "Unsafe action rate", "denied", "proposed"),
    _time("took_p50", "End to end, median", "succeeded"),
    _time("took_p95", "End to end, 95 % below", "succeeded"),
    _time("overhead_p50", "Overhead, median", "measured"),
    _time("overhead_p95", "Overhead, 95 % below", "measured"),
    Column("cost_usd", "Cost per transaction", lambda level: level.cost, usd, "priced", "priced"),
]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as it reads, of how many; each leads to what it counts."""

    text: str
    sample: int | None
    url: str
    sample_url: str

    @property
    def is_few(self) -> bool:
        return self.sample is not None and self.sample < FEW


@dataclass(frozen=True, slots=True)
class Place:
    """Which page this is: what its figures are of."""

    span: Span
    by: str
    unit: str | None

    def list_of(self, figure: str, line: str) -> str:
        tree = UUID(self.unit) if self.unit else None
        span = self.span
        return list_behind(Behind(figure=figure, since=span.since, until=span.until, tree=tree, by=self.by, line=line))


@dataclass(frozen=True, slots=True)
class Range:
    """A figure that has a range, in words."""

    judged: Judged
    value: str
    limits: str
    culprit: str
    url: str
    workflow: str = ""


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Per workflow, unit, release or agent, in the range and unit that the address says."""
    form, span, by = _asked(request)
    place = Place(span, by, form.cleaned_data.get("unit"))
    found = levels(span, by=by)
    whole = next((one for one in found if not one.called), None)
    groups = [one for one in found if one.called]
    query = request.GET.urlencode()
    context = {
        "form": form,
        "changed": form.changed,
        "span": span,
        "by": by,
        "columns": COLUMNS,
        "rows": [(one.called, [_cell(column, one, place) for column in COLUMNS]) for one in found],
        "ranges": _ranges(whole, groups, place) if whole and whole.counts["asked"] else [],
        "few": FEW,
        "is_exact": whole.is_exact if whole else True,
        "exact_up_to": EXACT_UP_TO,
        "are_kept": whole.is_kept if whole else True,
        "stages": STAGES.values(),
        "stage_rows": stage_rows(found, place.list_of),
        "alerts": about_quality(actor_of(request), span.units, 10),
        "refused": refused_rows(refused(span), place.list_of),
        "resolutions": resolution_rows(resolutions(span), place.list_of),
        "csv": reverse("levels_csv") + (f"?{query}" if query else ""),
        "refused_csv": reverse("levels_refused_csv") + (f"?{query}" if query else ""),
        "resolution_csv": reverse("levels_resolution_csv") + (f"?{query}" if query else ""),
    }
    return render(request, "orchestrator/levels.html", context)


@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    """The same figures as CSV: plain numbers, percentages out of a hundred, seconds; empty where not known."""
    _, span, by = _asked(request)
    header = [
        by,
        "since",
        "until",
        *(name for column in COLUMNS for name in (column.name, f"{column.name}_of") if _has(column, name)),
        *stage_header(),
        "exact",
    ]
    lines = [
        [
            one.called or "all",
            span.since.isoformat(),
            span.until.isoformat(),
            *_plain(one),
            *stage_cells(one),
            "yes" if one.is_exact else "no",
        ]
        for one in levels(span, by=by)
    ]
    return csv_file("service-levels.csv", header, lines)


@require_safe
def resolution_sheet(request: HttpRequest) -> HttpResponse:
    """How long what came up waited for somebody, as CSV."""
    _, span, _ = _asked(request)
    return resolution_file(resolutions(span), span)


@require_safe
def refused_sheet(request: HttpRequest) -> HttpResponse:
    """What agents were refused, as CSV."""
    _, span, _ = _asked(request)
    return refused_file(refused(span), span)


def _has(column: Column, name: str) -> bool:
    return name == column.name or bool(column.sample)


def _plain(level: Level) -> list[object]:
    found: list[object] = []
    for column in COLUMNS:
        value = column.value(level)
        found.append(_number(value, PLACES if column.behind == "priced" else 4))
        if column.sample:
            found.append(level.counts[column.sample])
    return found


def _number(value: Value, places: int) -> object:
    return Decimal(f"{value:.{places}f}") if isinstance(value, float) else value


def _cell(column: Column, level: Level, place: Place) -> Cell:
    value = column.value(level)
    return Cell(
        UNKNOWN if value is None else column.reads(value),
        level.counts[column.sample] if column.sample else None,
        place.list_of(column.behind, level.called),
        place.list_of(column.sample, level.called) if column.sample else "",
    )


_OF = {"cost": "priced", "overhead": "measured", "success": "ended"}


def _ranges(whole: Level, groups: list[Level], place: Place) -> list[Range]:
    """Of all executions, then of each workflow that has ranges of its own."""
    held, span = Ranges(), place.span
    found = [
        _range(one, place, culprit(one.key, span, whole, groups) if one.out else "")
        for one in judged(whole, held.of(span.units))
    ]
    for group in groups if place.by == "workflow" else []:
        own = judged(group, held.of_workflow(span.units, group.called))
        found += [_range(one, place, workflow=group.called) for one in own]
    return found


def _range(one: Judged, place: Place, culprit: str = "", workflow: str = "") -> Range:
    return Range(one, one.reads, one.limits, culprit, place.list_of(_OF[one.key], workflow), workflow)


def _asked(request: HttpRequest) -> tuple[LevelsForm, Span, str]:
    """The form and what it asks for; where nothing is said, a week of every unit this person sees, by workflow."""
    actor = actor_of(request)
    seen = scope.unit_ids(actor, "view")
    given = {"by": "workflow"} | request.GET.dict()
    days = asked_days(given, today=timezone.localdate(), most=MOST_DAYS, usual=DAYS)
    shown = {"since": days.since, "until": days.until}
    form = LevelsForm(given, days=shown, notes=days.notes, offered={"unit": units_to_choose(actor)})
    unit = form.cleaned_data.get("unit")
    reached = below(UUID(unit)) & seen if unit else seen
    span = Span(units=reached, since=midnight(days.since), until=midnight(days.until + DAY))
    return form, span, form.cleaned_data.get("by") or "workflow"
