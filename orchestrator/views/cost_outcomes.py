"""What a success costs, with its waste: a page, and the same as a file."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit import scope
from audit.templatetags._format import UNKNOWN, percentage
from audit.web import actor_of, crumbs, csv_file
from orchestrator.forms.days import DaysForm
from orchestrator.models import CostFold
from orchestrator.queries.behind import Behind
from orchestrator.queries.cost_outcomes import (
    BUCKETS,
    MOST_DAYS,
    OUTCOMES,
    Outcomes,
    Spending,
    moments,
    outcomes,
)
from orchestrator.queries.cost_report import NOUGHT, Span
from orchestrator.queries.cost_words import plain
from orchestrator.queries.days import asked_days
from orchestrator.queries.work import units_to_choose
from orchestrator.views.costs import reached
from orchestrator.views.drill import list_behind

TITLES = {
    "succeeded": "On successes",
    "failed": "On failures",
    "turned_down": "On rejected or cancelled",
    "under_way": "Under way",
    "repeated": "Tries repeated",
    "review": "Reviewing",
}
COUNTS = {"succeeded": "Done", "failed": "Failed", "turned_down": "Rejected or cancelled", "under_way": "Under way"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A workflow in one currency; `money` in the order of BUCKETS."""

    one: Outcomes
    currency: str
    counts: list[tuple[int, str]]
    whole: str
    per_success: str
    waste: str
    money: list[str]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    form, span = _asked(request)
    query = request.GET.urlencode()
    rows = [row for one in outcomes(span) for row in _shown(one, form, span)]
    # What nothing was spent on has no column: there is hardly room for those that have something in them.
    used = [place for place in range(len(BUCKETS)) if any(row.money[place] for row in rows)]
    context = {
        "form": form,
        "changed": form.changed,
        "span": span,
        "counted": list(COUNTS.values()),
        "headers": [TITLES[BUCKETS[place]] for place in used],
        "rows": [replace(row, money=[row.money[place] for place in used]) for row in rows],
        "csv": reverse("cost_outcomes_csv") + (f"?{query}" if query else ""),
        "crumbs": [*crumbs("Costs", "costs"), *crumbs("Per success", "cost_outcomes")],
        "most_days": MOST_DAYS,
        "are_kept": CostFold.follows_executions(),
    }
    return render(request, "orchestrator/cost_outcomes.html", context)


@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    """The same with every digit; no cost per success where nothing has succeeded."""
    _, span = _asked(request)
    header = [
        "since", "until", "workflow", "currency", *(f"executions_{name}" for name in OUTCOMES), "amount",
        *(f"amount_{name}" for name in BUCKETS), "per_success", "unknown",
    ]  # fmt: skip
    lines = [
        [
            span.since.isoformat(), span.until.isoformat(), one.workflow, spending.currency or None, *one.executions.values(),
            spending.whole, *(spending.buckets[name] for name in BUCKETS), spending.per_success, one.unknown,
        ]
        for one in outcomes(span)
        for spending in one.spendings or [_nothing(one)]
    ]  # fmt: skip
    return csv_file("cost-per-success.csv", header, lines)


def _asked(request: HttpRequest) -> tuple[DaysForm, Span]:
    """Where nothing is said, this month so far of every unit the person sees; at most MOST_DAYS days."""
    actor = actor_of(request)
    today = datetime.now(UTC).date()
    given = request.GET.dict()
    days = asked_days(given, today=today, most=MOST_DAYS)
    shown = {"since": days.since, "until": days.until}
    form = DaysForm(given, days=shown, notes=days.notes, offered={"unit": units_to_choose(actor)})
    allowed = reached(scope.unit_ids(actor, "view"), form.cleaned_data.get("unit"))
    return form, Span(unit_ids=allowed, since=days.since, until=days.until)


def _shown(one: Outcomes, form: DaysForm, span: Span) -> list[Shown]:
    counts = [(one.executions[name], _list_of(name, one.workflow, form, span)) for name in OUTCOMES]
    return [_row(one, spending, counts) for spending in one.spendings or [_nothing(one)]]


def _list_of(outcome: str, workflow: str, form: DaysForm, span: Span) -> str:
    unit = form.cleaned_data.get("unit")
    since, until = moments(span)
    return list_behind(
        Behind(
            figure=outcome, since=since, until=until, tree=UUID(unit) if unit else None, by="workflow", line=workflow
        )
    )


def _nothing(one: Outcomes) -> Spending:
    """Executions that cost nothing that is known have a row, too."""
    return Spending("", dict.fromkeys(BUCKETS, NOUGHT), one.executions["succeeded"])


def _row(one: Outcomes, spending: Spending, counts: list[tuple[int, str]]) -> Shown:
    currency, whole = spending.currency, spending.whole
    return Shown(
        one=one,
        currency=currency,
        counts=counts,
        whole=plain(whole, currency) if currency else UNKNOWN if one.unknown else "",
        per_success=UNKNOWN if spending.per_success is None or not currency else plain(spending.per_success, currency),
        waste=percentage(100 * spending.waste / whole) if whole else "",
        money=[plain(spending.buckets[name], currency) if spending.buckets[name] else "" for name in BUCKETS],
    )
