"""What got dearer, and why: a page and the same as a file. The largest change first, each with its parts and one sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit import scope
from audit.web import actor_of, crumbs, csv_file
from orchestrator.forms.costs import ChangeForm
from orchestrator.queries.cost_changes import Changed, Changes, changes
from orchestrator.queries.cost_parts import PARTS
from orchestrator.queries.cost_report import Span
from orchestrator.queries.cost_words import plain, relative, sentence, signed
from orchestrator.queries.days import DAY, asked_days, before, days_against, named
from orchestrator.queries.work import units_to_choose
from orchestrator.views.costs import reached

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
        "changed": asked.form.changed,
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
    return csv_file("cost-changes.csv", header, lines)


def asked_of(request: HttpRequest) -> Asked:
    """Where nothing is said: this month so far, against the same days of the one before, of every unit the person sees."""
    actor = actor_of(request)
    given = request.GET.dict()
    now = asked_days(given, today=datetime.now(UTC).date())
    against = days_against(given, now)
    days = {"since": now.since, "until": now.until, "against": against.since, "against_until": against.until}
    form = ChangeForm(given, days=days, notes=[*now.notes, *against.notes], offered={"unit": units_to_choose(actor)})
    units = reached(scope.unit_ids(actor, "view"), form.cleaned_data.get("unit"))
    spans = (Span(unit_ids=units, since=one.since, until=one.until) for one in (now, against))
    return Asked(form, *spans)


def _months(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """This month so far, and all of the last one, by their days."""
    today = datetime.now(UTC).date()
    last = today.replace(day=1) - DAY
    kept = {name: request.GET[name] for name in ("unit",) if request.GET.get(name)}
    for since, until in ((today.replace(day=1), today), (last.replace(day=1), last)):
        title = f"{named(since, until)} against {named(*before(since, until))}"
        yield title, f"{reverse('cost_changes')}?{urlencode({**kept, 'since': since, 'until': until})}"


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
