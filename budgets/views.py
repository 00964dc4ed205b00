"""The page of budgets, and the same table as a sheet."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.web import actor_of, crumbs, csv_file
from budgets.queries import STATES, Standing, blocks, of_unit, standings

COLUMNS = (
    "budget", "version", "unit", "covers", "state", "spent", "reserved", "limit", "measured in", "used percent",
    "unknown costs", "waiting", "begins", "ends", "at the limit",
)  # fmt: skip


@require_safe
def budget_list(request: HttpRequest) -> HttpResponse:
    """Every budget in force of the reader's units, and what waits for one."""
    actor, state = actor_of(request), _state(request)
    context = {"budgets": _found(request), "blocks": blocks(actor), "states": STATES, "state": state}
    return render(request, "budgets/budget_list.html", context)


@require_safe
def unit_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What one unit may use, by which budgets, and what waits there."""
    shown = of_unit(actor_of(request), pk)
    trail = crumbs("Budgets", "budgets", shown.unit.title)
    return render(request, "budgets/unit_detail.html", {"shown": shown, "crumbs": trail})


@require_safe
def sheet(request: HttpRequest) -> HttpResponse:
    """The same rows, exact, for a spreadsheet."""
    lines = [
        [
            one.budget.name, one.budget.version, one.unit, one.covers, one.state, one.window.spent, one.window.reserved,
            one.budget.limit, one.measured_in, one.used_percent, one.window.unknown, one.waiting, one.begins,
            one.window.ends_at.isoformat() if one.window.ends_at else "", one.at_the_limit,
        ]
        for one in _found(request)
    ]  # fmt: skip
    return csv_file("budgets.csv", COLUMNS, lines)


def _found(request: HttpRequest) -> list[Standing]:
    """Those that the page and its sheet show: all, or those in the state that the address says."""
    state = _state(request)
    return [one for one in standings(actor_of(request)) if not state or one.state == state]


def _state(request: HttpRequest) -> str:
    state = request.GET.get("state", "")
    return state if state in STATES else ""
