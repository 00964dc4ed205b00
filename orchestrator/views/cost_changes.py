"""What got dearer, and why: a page and the same as a file. The largest change first, each with its parts and one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit import scope
from audit.sheets import as_csv
from audit.web import actor_of, crumbs
from orchestrator.cost_forms import ChangeForm
from orchestrator.queries.cost_changes import Changed, Changes, changes
from orchestrator.queries.cost_parts import PARTS
from orchestrator.queries.cost_report import Span
from orchestrator.queries.cost_words import plain, relative, sentence, signed
from orchestrator.views.costs import inside, offered_units, reached

# Changes that the page tells. The file has all of them, and the total counts all of them.
MOST_ROWS = 50
TITLES = {
    "volume": "How often",
    "tokens": "Tokens each",
    "mix": "Which models",
    "kinds": "Kinds of tokens",
    "rates": "Rates",
    "price": "Cost of a token, rates unknown",
    "tools": "Tools",
    "review": "Review",
    "corrections": "Corrections",
}
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Asked:
    form: ChangeForm
    now: Span
    before: Span


@dataclass(frozen=True, slots=True)
class Shown:
    """A change as the page shows it. `parts` has the columns that say something in this table."""

    row: Changed
    what: str
    sentence: str
    before: str
    now: str
    change: str
    relative: str
    parts: list[str]
    url: str
    url_before: str


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    asked = asked_of(request)
    query = request.GET.urlencode()
    context = {
        "form": asked.form,
        "now": asked.now,
        "before": asked.before,
        "tables": [_shown(table, asked) for table in changes(asked.now, asked.before)],
        "months": list(_months(request)),
        "csv": reverse("cost_changes_csv") + (f"?{query}" if query else ""),
        "back": reverse("costs"),
        "crumbs": [*crumbs("Costs", "costs"), *crumbs("What changed", "cost_changes")],
    }
    return render(request, "orchestrator/cost_changes.html", context)


@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    """Every change with every digit: the parts of a row come to its change."""
    asked = asked_of(request)
    days = [day.isoformat() for span in (asked.now, asked.before) for day in (span.since, span.until)]
    lines = [[*days, *_plain(row, table.currency)] for table in changes(asked.now, asked.before) for row in table.rows]
    header = [
        "since", "until", "against_since", "against_until", "unit", "workflow", "currency", "amount", "amount_before",
        "change", *PARTS, "counted", "times", "times_before", "unknown", "unknown_before", "why",
    ]  # fmt: skip
    answer = HttpResponse(as_csv(header, lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="cost-changes.csv"'
    return answer


def asked_of(request: HttpRequest) -> Asked:
    """Where nothing is said: this month so far, against as many days of the last one, of every unit the person sees."""
    allowed = scope.unit_ids(actor_of(request), "view")
    today = datetime.now(UTC).date()
    given = {"since": today.replace(day=1), "until": today} | request.GET.dict()
    form = ChangeForm(given, offered=offered_units(allowed))
    form.is_valid()
    chosen = form.cleaned_data
    since = inside(chosen.get("since") or today.replace(day=1))
    until = max(inside(chosen.get("until") or today), since)
    before = _against(chosen.get("against"), chosen.get("against_until"), since, until)
    form.data = {**given, "since": since, "until": until, "against": before[0], "against_until": before[1]}
    units = reached(allowed, chosen.get("unit"))
    now_span = Span(unit_ids=units, since=since, until=until)
    return Asked(form, now_span, Span(unit_ids=units, since=before[0], until=before[1]))


def _against(first: date | None, last: date | None, since: date, until: date) -> tuple[date, date]:
    """The days that were asked for, as far as they lie before; else the same days of the month before; else as many days."""
    if first and inside(first) < since:
        return inside(first), min(max(inside(last or since), inside(first)), since - DAY)
    if since.day == 1 and (until.year, until.month) == (since.year, since.month) and since.year > 1:
        end = since - DAY
        whole_month = (until + DAY).month != until.month
        return end.replace(day=1), end if whole_month else end.replace(day=min(until.day, end.day))
    return since - (until - since) - DAY, since - DAY


def _months(request: HttpRequest) -> Iterator[tuple[str, str]]:
    first = datetime.now(UTC).date().replace(day=1)
    last = first - DAY
    kept = {name: request.GET[name] for name in ("unit",) if request.GET.get(name)}
    whole = {"since": last.replace(day=1), "until": last}
    for title, days in (("This month against last", {}), ("Last month against the one before", whole)):
        yield title, f"{reverse('cost_changes')}?{urlencode({**kept, **days})}"


def _shown(table: Changes, asked: Asked) -> dict[str, object]:
    told = [name for name in PARTS if any(row.change.parts[name] for row in table.rows)]
    currency = table.currency
    return {
        "currency": currency,
        "caption": f"Changes in {currency} by workflow and unit, the largest first",
        "headers": [TITLES[name] for name in told],
        "rows": [_row(row, currency, told, asked) for row in table.rows[:MOST_ROWS]] if currency else table.rows,
        "before": plain(table.before, currency),
        "now": plain(table.now, currency),
        "change": signed(table.now - table.before, currency),
        "relative": relative(table.before, table.now),
        "parts": [signed(table.parts[name], currency) for name in told],
        "left_out": max(len(table.rows) - MOST_ROWS, 0),
    }


def _row(row: Changed, currency: str, told: list[str], asked: Asked) -> Shown:
    before, now = row.change.before.amount, row.change.now.amount
    return Shown(
        row=row,
        what=row.workflow or "Without a workflow",
        sentence=sentence(row.change, currency),
        before=plain(before, currency),
        now=plain(now, currency),
        change=signed(now - before, currency),
        relative=relative(before, now),
        parts=[signed(row.change.parts[name], currency) if row.change.parts[name] else "" for name in told],
        url=_behind(row, currency, asked.now),
        url_before=_behind(row, currency, asked.before),
    )


def _behind(row: Changed, currency: str, span: Span) -> str:
    """The lines of this row in these days."""
    query = {"since": span.since, "until": span.until, "unit": row.unit_id, "only": "1"}
    return f"{reverse('cost_lines')}?{urlencode({**query, 'workflow': row.workflow, 'currency': currency})}"


def _plain(row: Changed, currency: str) -> list[object]:
    change = row.change
    money: list[Decimal | None] = [change.now.amount, change.before.amount, change.amount, *change.parts.values()]
    return [
        row.unit, row.workflow or None, currency or None, *(money if currency else [None] * len(money)),
        change.volume.of or None, change.volume.now, change.volume.before, row.unknown, row.unknown_before,
        sentence(change, currency) if currency else None,
    ]  # fmt: skip
