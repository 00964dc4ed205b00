"""The figures per policy: a page, the same as a file, and the rows behind each number. For whoever audits a unit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals.rules.administrators import is_administrator
from audit import scope
from audit.actors import Actor
from audit.queries import Keyset, counted
from audit.refusals import Forbidden
from audit.templatetags._format import UNKNOWN, duration, percentage
from audit.web import actor_of, crumbs, csv_file, cursors, pager
from orchestrator.forms.base import midnight
from orchestrator.forms.days import FiguresForm
from orchestrator.queries.days import DAY, asked_days
from orchestrator.queries.figures import CONDITIONS, ENDINGS, FEWEST_REVIEWERS, Figures, Range, figures, rows_behind
from orchestrator.queries.work import units

NEWEST_FIRST = Keyset(("-created_at", "-id"))
DAYS = 30
ALL = "All policies"
Value = float | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """One figure: its header, its value, how it reads, and the condition whose rows it leads to."""

    name: str
    title: str
    value: Callable[[Figures], Value]
    reads: Callable[[Any], str] = str
    what: str = ""


def _count(name: str, title: str) -> Column:
    return Column(name, title, lambda row: row.counts[name], "{:,}".format, name)


def _share(name: str, title: str, of: str) -> Column:
    return Column(f"{name}_percent", title, lambda row: row.share(name, of), percentage, name)


def _load(name: str, title: str, place: int) -> Column:
    return Column(name, title, lambda row: row.load[place] if row.load else None, "{:g}".format)


def _tests(name: str, title: str) -> Column:
    return Column(f"tests_{name}", title, lambda row: row.tests.get(name, 0), "{:,}".format, name)


TABLES: dict[str, list[Column]] = {
    "Decisions": [
        _count("asked", "Asked"),
        _count("decided", "Decided"),
        _share("approved", "Approved", "decided"),
        _share("rejected", "Rejected", "decided"),
        _share("overridden", "Edited or answered", "decided"),
        _share("reversed", "Undone after approval", "approved"),
    ],
    "Attention": [
        Column("reading_seconds", "Median reading time", lambda row: row.reading, duration),
        _share("quick", "Decided in under 5 s", "measured"),
        _count("looked", "Second looks"),
        _share("disagreed", "Second looks that disagree", "looked"),
        _tests("caught", "Test items caught"),
        _tests("missed", "Test items missed"),
        _tests("objected", "Good test items stopped"),
    ],
    "Time and load": [
        Column("decide_seconds", "Median time to decide", lambda row: row.took, duration),
        _share("late", "Decided late", "decided"),
        _count("expired", "Expired undecided"),
        _load("load_median", "Items per reviewer and day, median", 0),
        _load("load_p90", "90 % of days below", 1),
        _load("load_most", "Most", 2),
    ],
}
COLUMNS = [column for columns in TABLES.values() for column in columns]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as the page shows it, and the rows behind it."""

    text: str
    url: str


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Per policy, in the range and units that the address says."""
    form, range_ = _asked(request)
    found = figures(range_)
    tables = [
        {
            "title": title,
            "caption": f"{title}, per policy",
            "columns": columns,
            "rows": [(row.policy, list(_cells(row, columns, request))) for row in found],
        }
        for title, columns in TABLES.items()
    ]
    query = request.GET.urlencode()
    context = {
        "form": form,
        "changed": form.changed,
        "range": range_,
        "tables": tables if found else [],
        "fewest": FEWEST_REVIEWERS,
        "few": [row.policy for row in found if row.policy and row.load is None and row.reviewers],
        "csv": reverse("figures_csv") + (f"?{query}" if query else ""),
        "crumbs": crumbs("Approvals", "approvals", "Figures"),
    }
    return render(request, "orchestrator/figures.html", context)


@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    """The same figures as CSV: plain numbers, percentages out of a hundred, seconds."""
    _, range_ = _asked(request)
    header = ["policy", "since", "until", "reviewers", *(column.name for column in COLUMNS)]
    span = [range_.since.isoformat(), range_.until.isoformat()]
    lines = [
        [
            row.policy or ALL,
            *span,
            row.reviewers if row.load else None,
            *(_plain(column.value(row)) for column in COLUMNS),
        ]
        for row in figures(range_)
    ]
    return csv_file("figures.csv", header, lines)


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """The requests that one number counts, newest first."""
    form, range_ = _asked(request)
    what = request.GET.get("what", "")
    what, policy = what if what in {*CONDITIONS, *ENDINGS} else "asked", request.GET.get("policy", "").replace("\0", "")
    found = rows_behind(range_, what=what, policy=policy)
    page = NEWEST_FIRST.slice(found.defer("snapshot", "evidence", "agent_says"), **cursors(request))
    back = urlencode({name: request.GET[name] for name in ("since", "until", "unit") if name in request.GET})
    context = {
        "listing": page,
        "total": counted(found),
        "title": next((column.title for column in COLUMNS if column.what == what), "Asked"),
        "policy": policy or ALL,
        "changed": form.changed,
        "range": range_,
        "back": f"{reverse('figures')}?{back}",
        "pager": pager(request, page),
        "crumbs": [*crumbs("Approvals", "approvals"), *crumbs("Figures", "figures", "Rows")],
    }
    return render(request, "orchestrator/figure_rows.html", context)


def _asked(request: HttpRequest) -> tuple[FiguresForm, Range]:
    """The form and what it asks for; where nothing is said, the last 30 days of every unit this person may look at."""
    actor = actor_of(request)
    allowed = _units_of(actor)
    offered = [(str(unit.pk), unit.title) for unit in units(allowed)]
    given = request.GET.dict()
    days = asked_days(given, today=timezone.localdate(), usual=DAYS)
    shown = {"since": days.since, "until": days.until}
    form = FiguresForm(given, days=shown, notes=days.notes, offered={"unit": offered})
    unit = form.cleaned_data.get("unit")
    return form, Range(
        unit_ids=frozenset({UUID(unit)}) if unit else allowed,
        since=midnight(days.since),
        until=midnight(days.until + DAY),
    )


def _units_of(actor: Actor) -> frozenset[UUID]:
    """Units this person audits, or administers."""
    found = scope.unit_ids(actor, "audit")
    if is_administrator(actor):
        found |= scope.unit_ids(actor, "view")
    if not found:
        raise Forbidden(
            "Figures are for auditors and administrators of a business unit.",
            code="not_an_auditor",
            remedy="Ask an administrator of your business unit for the auditor role.",
        )
    return found


def _cells(row: Figures, columns: list[Column], request: HttpRequest) -> Iterator[Cell]:
    kept = {name: request.GET[name] for name in ("since", "until", "unit") if request.GET.get(name)}
    for column in columns:
        value = column.value(row)
        text = UNKNOWN if value is None else column.reads(value)
        counts = bool({**row.counts, **row.tests}.get(column.what))
        query = urlencode({**kept, "policy": row.policy, "what": column.what})
        yield Cell(text, f"{reverse('figure_rows')}?{query}" if counts else "")


def _plain(value: Value) -> object:
    return round(value, 2) if isinstance(value, float) else value
