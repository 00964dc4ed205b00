"""One budget: how its window is used up day by day, where that is likely to end, and the same as a file."""

from datetime import timedelta
from decimal import Decimal
from math import ceil

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.templatetags._burn import Ahead, Burn, Level, Step
from audit.templatetags._format import money
from audit.web import actor_of, crumbs, csv_file
from budgets.burning import Burnt, Threshold, burnt
from orchestrator.queries.cost_forecast import Forecast, forecast
from orchestrator.queries.days import told

# Further away than this nobody plans, and a date would only look exact.
FARTHEST_DAYS = 366


@require_safe
def show(request: HttpRequest, name: str) -> HttpResponse:
    """The budget, its window as a picture and as a table, and what waits for it."""
    found = burnt(actor_of(request), name)
    ahead = _ahead(found)
    context = {
        "one": found.standing,
        "budgets": [found.standing],
        "burn": _burn(found, ahead),
        "forecast": ahead,
        "a_day": _round(ahead.a_day) if ahead else "",
        "last": told(found.last) if found.last else "",
        "reaches": _reaches(found, ahead),
        "crumbs": crumbs("Budgets", "budgets", found.standing.budget.name),
    }
    return render(request, "budgets/budget_detail.html", context)


@require_safe
def sheet(request: HttpRequest, name: str) -> HttpResponse:
    """Every day on which something was spent, exact."""
    found = burnt(actor_of(request), name)
    lines = [[one.day.isoformat(), one.spent, one.total, found.standing.measured_in] for one in found.days]
    return csv_file(f"budget-{found.standing.budget.name}.csv", ("day", "spent", "total", "measured in"), lines)


def _ahead(found: Burnt) -> Forecast | None:
    """Of a window that never begins anew only the burn rate is of use: it is asked up to today."""
    return forecast(
        found.standing.measured_in, found.seen, found.today, first=found.first, last=found.last or found.today
    )


def _burn(found: Burnt, ahead: Forecast | None) -> Burn:
    unit, now, limit = found.standing.measured_in, found.standing.window.spent, found.standing.budget.limit
    last = found.last or found.today
    before = found.days[0].total - found.days[0].spent if found.days else now
    steps = [
        Step((one.day - found.first).days + 1, told(one.day), _plain(one.spent), _plain(one.total), one.total)
        for one in found.days
    ]
    return Burn(
        title=f"{unit} spent, {found.standing.period}",
        sentence=f"{_plain(now)} of {_plain(limit)} {unit} spent.",
        first=told(found.first),
        last=told(last),
        days=(last - found.first).days + 1,
        today=(found.today - found.first).days + 1,
        before=before,
        steps=steps,
        levels=[_level(one, unit) for one in found.thresholds],
        ahead=_drawn(ahead, found, unit) if ahead and ahead.days_left else None,
    )


def _level(one: Threshold, unit: str) -> Level:
    words = f"{one.percent} %{', the limit' if one.percent == 100 else ''}: {_plain(one.amount)} {unit}"
    return Level(
        one.amount, words, f"reached on {told(one.reached)}" if one.reached else "not reached", one.percent == 100
    )


def _drawn(ahead: Forecast, found: Burnt, unit: str) -> Ahead:
    """Counted on from what the window says: days kept before this budget kept them are in no day."""
    kept = found.standing.window.spent - ahead.spent
    likely, low, high = (amount + kept for amount in (ahead.likely, ahead.low, ahead.high))
    words = f"about {_round(likely)} {unit}, between {_round(low)} and {_round(high)}"
    return Ahead(likely, low, high, f"By {told(found.last or found.today)}", words)


def _reaches(found: Burnt, ahead: Forecast | None) -> str:
    """The day on which the limit is reached at the burn rate of the last four weeks, where that lies in the window."""
    left = found.standing.budget.limit - found.standing.window.spent
    if ahead is None or ahead.a_day <= 0 or left <= 0 or left > ahead.a_day * FARTHEST_DAYS:
        return ""
    day = found.today + timedelta(days=ceil(left / ahead.a_day))
    return told(day) if found.last is None or day <= found.last else ""


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():,f}"


def _round(amount: Decimal) -> str:
    """As money reads: what is less than a cent by its digits, never as nothing."""
    return money(amount, "").shown
