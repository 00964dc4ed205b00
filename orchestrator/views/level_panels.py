"""Panels of the service levels: where the time of a success went, what was refused, how long what came up waited for somebody."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpResponse

from audit.templatetags._format import UNKNOWN, duration, percentage
from audit.web import csv_file
from orchestrator.health.levels import FEW, Level, Span
from orchestrator.health.refused import REQUESTS, Refused
from orchestrator.health.resolution import KINDS, Resolution
from orchestrator.health.stages import STAGES, Stage

# From a figure and a line to the address of what it counts.
Leads = Callable[[str, str], str]
MEASURES = ("p50", "p95", "percent")


@dataclass(frozen=True, slots=True)
class StageRow:
    """One line: of how many successes, and each stage in words."""

    called: str
    sample: int
    url: str
    cells: list[tuple[str, str, str]]

    @property
    def is_few(self) -> bool:
        return self.sample < FEW


@dataclass(frozen=True, slots=True)
class ResolutionRow:
    """One kind of what waits for somebody, in words; both numbers lead to what they count."""

    title: str
    resolution: Resolution
    median: str
    most: str
    resolved_url: str
    open_url: str

    @property
    def is_few(self) -> bool:
        return 0 < self.resolution.resolved < FEW


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One kind of no; calls lead to their list."""

    refused: Refused
    url: str


def refused_rows(found: list[Refused], leads: Leads) -> list[RefusedRow]:
    return [
        RefusedRow(one, "" if one.kind == REQUESTS or not one.count else leads(f"refused_{one.kind}", ""))
        for one in found
    ]


def refused_file(found: list[Refused], span: Span) -> HttpResponse:
    """The same figures as CSV."""
    header = ["kind", "since", "until", "count", "most_by", "most"]
    lines = [
        [one.kind, span.since.isoformat(), span.until.isoformat(), one.count, one.most_by, one.most] for one in found
    ]
    return csv_file("refused.csv", header, lines)


def stage_rows(found: list[Level], leads: Leads) -> list[StageRow]:
    return [
        StageRow(one.called, one.staged, leads("staged", one.called), [_words(one.stages[name]) for name in STAGES])
        for one in found
        if one.staged
    ]


def resolution_rows(found: list[Resolution], leads: Leads) -> list[ResolutionRow]:
    return [
        ResolutionRow(
            KINDS[one.kind], one, _said(one.median, duration), _said(one.most, duration),
            leads(f"{one.kind}_resolved", ""), leads(f"{one.kind}_open", ""),
        )
        for one in found
    ]  # fmt: skip


def stage_header() -> list[str]:
    return ["staged", *(f"{name}_{measure}" for name in STAGES for measure in MEASURES)]


def stage_cells(one: Level) -> list[object]:
    """As the file has them: seconds, and per cent out of a hundred; empty where nothing succeeded."""
    if not one.staged:
        return [0, *[None] * (len(STAGES) * len(MEASURES))]
    parts = [part for name in STAGES for part in _measures(one.stages[name])]
    return [one.staged, *(None if part is None else round(part, 4) for part in parts)]


def resolution_file(found: list[Resolution], span: Span) -> HttpResponse:
    """The same figures as CSV: seconds; empty where nothing is over."""
    header = ["kind", "since", "until", "resolved", "open", "median", "p95"]
    lines = [
        [one.kind, span.since.isoformat(), span.until.isoformat(), one.resolved, one.open,
         *(None if part is None else round(part, 4) for part in (one.median, one.most))]
        for one in found
    ]  # fmt: skip
    return csv_file("time-to-resolution.csv", header, lines)


def _measures(stage: Stage) -> tuple[float | None, float | None, float | None]:
    return stage.median, stage.most, stage.percent


def _words(stage: Stage) -> tuple[str, str, str]:
    return _said(stage.median, duration), _said(stage.most, duration), _said(stage.percent, percentage)


def _said(value: float | None, reads: Callable[[float], str]) -> str:
    return UNKNOWN if value is None else reads(value)
