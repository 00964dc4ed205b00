"""Who pays, for what: a page, the same as a file, and the ledger lines behind each number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit import scope
from audit.sheets import csv_lines
from audit.templatetags._format import percentage
from audit.web import actor_of, crumbs, csv_file, cursors, pager
from budgets.models import BusinessUnit
from budgets.units import below
from orchestrator.forms.costs import CostForm
from orchestrator.queries.cost_forecast import Forecast, forecasts
from orchestrator.queries.cost_lines import every as every_line
from orchestrator.queries.cost_lines import lines as lines_behind
from orchestrator.queries.cost_report import (
    DIMENSIONS,
    OF_THE_EXECUTION,
    OF_THE_LINE,
    SUMS,
    Row,
    Span,
    Sums,
    Table,
    report,
)
from orchestrator.queries.cost_words import relative
from orchestrator.queries.days import DAY, asked_days, named
from orchestrator.queries.work import units_to_choose
from orchestrator.views.cost_charts import charts

# Rows of one table on the page. The file has all of them, and the total counts all of them.
MOST_ROWS = 200
# Of a line in a file, after its moment.
LINE_COLUMNS = (
    "id", "kind", "unit_id", "execution_id", "agent", "tool", "provider", "model", "input_tokens", "cached_input_tokens",
    "output_tokens", "reasoning_tokens", "amount", "currency", "basis", "priced_by", "why", "corrects_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address says, made sense of."""

    form: CostForm
    span: Span
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as the page shows it."""

    names: tuple[str, ...]
    sums: Sums
    share: str
    change: str
    url: str


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Sums of the days, units and groups that the address says, one table per currency."""
    asked = _asked(request)
    query, tables = request.GET.urlencode(), report(asked.span, asked.by)
    context = {
        "form": asked.form,
        "changed": asked.form.changed,
        "span": asked.span,
        "currencies": [table.currency for table in tables],
        "headers": [DIMENSIONS[name][1] for name in asked.by],
        "tables": [_shown(table, asked) for table in tables],
        "charts": charts(asked.span, asked.by[0], asked.form.cleaned_data.get("unit") or ""),
        "forecasts": _forecasts(asked.span),
        "months": list(_months(request)),
        "csv": reverse("costs_csv") + (f"?{query}" if query else ""),
        "why": _same_days(asked, "cost_changes"),
        "outcomes": _same_days(asked, "cost_outcomes"),
        "crumbs": crumbs("Costs", "costs"),
    }
    return render(request, "orchestrator/costs.html", context)


def _forecasts(span: Span) -> list[Forecast]:
    """Of this month only: about other days everything is known."""
    today = datetime.now(UTC).date()
    return forecasts(span.unit_ids, today) if (span.since, span.until) == (today.replace(day=1), today) else []


@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    """The same sums as CSV: every row, every digit. An amount that nobody knows is an empty cell."""
    asked = _asked(request)
    spans = (asked.span, asked.span.before)
    days = [day.isoformat() for span in spans for day in (span.since, span.until)]
    lines = [
        [*days, table.currency or None, *row.names, *_plain(row, table, is_day="day" in asked.by)]
        for table in report(asked.span, asked.by)
        for row in table.rows
    ]
    header = ["since", "until", "against_since", "against_until", "currency", *asked.by, *SUMS, "amount_before"]
    return csv_file("costs.csv", header, lines)


@require_safe
def lines(request: HttpRequest) -> HttpResponse:
    """The ledger lines that one number sums up, newest first."""
    asked, chosen = _asked(request), _chosen(request)
    unit = asked.form.cleaned_data.get("unit")
    found = lines_behind(asked.span, chosen, **cursors(request))
    page = found.listing
    kept = {name: request.GET[name] for name in ("since", "until", "unit") if request.GET.get(name)}
    context = {
        "listing": page,
        "total": f"{found.number:,}",
        "cost": found.cost,
        "span": asked.span,
        "changed": asked.form.changed,
        "unit": BusinessUnit.objects.filter(pk=unit).first() if unit else None,
        "alone": bool(request.GET.get("only")),
        "chosen": [f"{name} {value or 'none'}" for name, value in chosen.items()],
        "csv": f"{reverse('cost_lines_csv')}?{request.GET.urlencode()}",
        "back": f"{reverse('costs')}?{urlencode(kept)}",
        "pager": pager(request, page),
        "crumbs": [*crumbs("Costs", "costs"), *crumbs("Lines", "cost_lines")],
    }
    return render(request, "orchestrator/cost_lines.html", context)


@require_safe
def lines_sheet(request: HttpRequest) -> StreamingHttpResponse:
    """The same lines as CSV, all of them and every digit: they come to the sum on the page."""
    found = every_line(_asked(request).span, _chosen(request))
    rows = (
        [line.at.isoformat(), *(getattr(line, name) for name in LINE_COLUMNS)]
        for line in found
    )  # fmt: skip
    answer = StreamingHttpResponse(csv_lines(["at", *LINE_COLUMNS], rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="cost-lines.csv"'
    return answer


def _chosen(request: HttpRequest) -> dict[str, str]:
    """What narrows the lines, beside days and unit."""
    names = (*OF_THE_LINE, *OF_THE_EXECUTION)
    return {name: request.GET[name].replace("\0", "") for name in names if name in request.GET}


def _asked(request: HttpRequest) -> Asked:
    """Where nothing is said, this month of every unit the person sees, by unit and workflow."""
    actor = actor_of(request)
    today = datetime.now(UTC).date()
    days = asked_days(request.GET.dict(), today=today)
    given = {"by": "unit", "then": "workflow"} | request.GET.dict()
    shown = {"since": days.since, "until": days.until}
    form = CostForm(given, days=shown, notes=days.notes, offered={"unit": units_to_choose(actor)})
    chosen = form.cleaned_data
    allowed = reached(scope.unit_ids(actor, "view"), chosen.get("unit"), alone=bool(request.GET.get("only")))
    by = [chosen.get("by") or "unit"]
    by += [then for then in (chosen.get("then"),) if then and then not in by]
    return Asked(form, Span(unit_ids=allowed, since=days.since, until=days.until), tuple(by))


def _same_days(asked: Asked, page: str) -> str:
    """Another page about the same days and unit."""
    unit = asked.form.cleaned_data.get("unit")
    query = {"since": asked.span.since, "until": asked.span.until} | ({"unit": unit} if unit else {})
    return f"{reverse(page)}?{urlencode(query)}"


def reached(allowed: frozenset[UUID], unit: str | None, *, alone: bool = False) -> frozenset[UUID]:
    """Those of the allowed units that the address is about: of a unit, those below it, too."""
    if not unit:
        return allowed
    return allowed & ({UUID(unit)} if alone else below(UUID(unit)))


def _months(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """This month so far and all of the last one, by their days, for whatever else the address says."""
    today = datetime.now(UTC).date()
    first = today.replace(day=1)
    last = first - DAY
    kept = {name: request.GET[name] for name in ("unit", "by", "then") if name in request.GET}
    for since, until in ((first, today), (last.replace(day=1), last)):
        yield named(since, until), f"{reverse('costs')}?{urlencode({**kept, 'since': since, 'until': until})}"


def _shown(table: Table, asked: Asked) -> dict[str, object]:
    total = table.total
    return {
        "currency": table.currency,
        "caption": _caption(table, asked),
        "total": total,
        "change": relative(table.before, total.amount),
        "left_out": max(len(table.rows) - MOST_ROWS, 0),
        "rows": [
            Shown(
                row.names,
                row.sums,
                percentage(100 * row.sums.amount / total.amount) if total.amount else "",
                "" if "day" in asked.by else relative(row.before, row.sums.amount),
                _behind(row, table.currency, asked),
            )
            for row in table.rows[:MOST_ROWS]
        ],
    }


def _caption(table: Table, asked: Asked) -> str:
    if not table.currency:
        return "Lines whose cost nobody knows"
    return f"Costs in {table.currency}, dearest first, and their change against {asked.span.before.called}"


def _behind(row: Row, currency: str, asked: Asked) -> str:
    """The address of the lines of this row. A unit's own row is about that unit, not about those below it."""
    query = {"since": asked.span.since.isoformat(), "until": asked.span.until.isoformat(), "currency": currency}
    if unit := asked.form.cleaned_data.get("unit"):
        query["unit"] = unit
    for name, value in zip(asked.by, row.values, strict=True):
        if name == "day":
            query |= {"since": value, "until": value}
        else:
            query |= {"unit": value, "only": "1"} if name == "unit" else {name: value}
    return f"{reverse('cost_lines')}?{urlencode(query)}"


def _plain(row: Row, table: Table, *, is_day: bool) -> list[object]:
    """A day has no day before it that it is compared with."""
    sums = [getattr(row.sums, name) for name in SUMS]
    return [sums[0] if table.currency else None, *sums[1:], None if is_day else row.before]
