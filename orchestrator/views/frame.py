"""The frame around every page: navigation with its counts, environment, unit scope, and how the person likes it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals.queries.queue import FOR_ME
from approvals.rules import pauses
from approvals.rules.administrators import is_administrator
from audit import scope
from audit.preferences import preferences_of
from audit.web import actor_of, address, is_part, unchanged
from orchestrator.queries.health import may_see as may_see_health
from orchestrator.queries.stops import Band, band
from orchestrator.queries.work import MOST_COUNTED, Counts, counts, units

# Lists that a unit narrows; elsewhere the unit menu leads to the executions of that unit.
NARROWED_BY_UNIT = {
    "approvals",
    "executions",
    "actions",
    "dead_letters",
    "failure_groups",
    "unknown_outcomes",
    "traces",
    "alerts",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the navigation."""

    label: str
    url: str
    key: str
    current: bool = False
    count: str = ""
    foot: bool = False


def frame(request: HttpRequest) -> dict[str, Any]:
    """What base.html needs. Parts asked for by htmx use none of it, so what costs a query is a callable."""
    chosen = preferences_of(request) if hasattr(request, "user") else None
    context: dict[str, Any] = {
        "now": timezone.now(),
        "environment": settings.ENVIRONMENT,
        "theme": chosen.theme if chosen else "system",
        "density": chosen.density if chosen else "comfortable",
        "shortcuts": chosen.shortcuts if chosen else True,
        "time_zone": timezone.get_current_timezone_name(),
    }
    if hasattr(request, "user") and request.user.is_authenticated:
        context |= {
            "nav": once(nav, request),
            "nav_version": once(nav_version, request),
            "nav_url": reverse("nav"),
            "scope": once(unit_scope, request),
            "stop_band": once(stop_band, request),
            "operates": once(operates, request),
            "administers": once(administers, request),
            "audits": once(audits, request),
            "sees_nothing": once(sees_nothing, request),
            "pause": once(pause, request),
            "emergencies": once(lambda asked: _counts(asked).emergencies, request),
            "second_looks": once(lambda asked: _counts(asked).looks, request),
        }
    return context


def once(make: Callable[[HttpRequest], Any], request: HttpRequest) -> Callable[[], Any]:
    """A template may mention it twice, or not at all."""
    return cache(lambda: make(request))


def nav(request: HttpRequest) -> list[Item]:
    """The order is fixed; a person sees only what they may open."""
    numbers = _counts(request)
    lines = [
        ("Work", "work", "w", None),
        ("Approvals", "approvals", "a", numbers.approvals),
        ("Executions", "executions", "e", None),
        ("Actions", "actions", "c", None),
        ("Dead letters", "failure_groups", "d", numbers.letters),
        ("Unknown outcomes", "unknown_outcomes", "k", numbers.unknown),
        ("Traces", "traces", "i", None),
        ("Budgets", "budgets", "b", None),
        ("Costs", "costs", "o", None),
        ("Alerts", "alerts", "r", numbers.alerts),
        ("Stops", "stops", "t", len(stop_band(request).stops)),
    ]
    if scope.unit_ids(actor_of(request), "audit"):
        lines.append(("Audit", "audit", "u", None))
    if may_see_health(actor_of(request)):
        lines.append(("Health", "health", "l", None))
    lines.append(("Service levels", "levels", "v", None))
    here = _page_path(request)
    foot = [("Policies", "admin:index", "p", None)] if request.user.is_staff else []
    foot += [("Preferences", "preferences", "s", None), ("Help", "help", "h", None)]
    return [
        Item(
            label, _counted(name, count), key, _is_current(here, reverse(name)), _shown(count), foot=place >= len(lines)
        )
        for place, (label, name, key, count) in enumerate([*lines, *foot])
    ]


def _shown(count: int | None) -> str:
    return f"{MOST_COUNTED:,}+" if count and count > MOST_COUNTED else f"{count:,}" if count else ""


def _counted(name: str, count: int | None) -> str:
    """Where a number leads to what it counts: at Approvals, what waits for the reader."""
    return reverse(name) + (f"?state={FOR_ME}" if name == "approvals" and count else "")


def _is_current(path: str, url: str) -> bool:
    return path == url if url == reverse("work") else path.startswith(url)


def _page_path(request: HttpRequest) -> str:
    """The path of the page the person is on, also while htmx asks for the navigation alone."""
    if not is_part(request):
        return request.path
    return urlsplit(request.htmx.current_url_abs_path or "").path  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The unit menu: which unit this page is narrowed to, and the same page for the others."""

    label: str
    choices: list[Choice]


def unit_scope(request: HttpRequest) -> Scope | None:
    """Nothing to choose for somebody who sees one unit."""
    seen = units(scope.unit_ids(actor_of(request), "view"))
    if len(seen) < 2:
        return None
    match = request.resolver_match
    here = match is not None and match.url_name in NARROWED_BY_UNIT
    chosen = request.GET.get("unit", "") if here else ""

    def url(unit: object) -> str:
        if here:
            return address(request, unit=unit, after=None, before=None)
        return reverse("executions") + (f"?unit={unit}" if unit else "")

    choices = [
        Choice("All", url(None), not chosen),
        *(Choice(one.title, url(one.pk), str(one.pk) == chosen) for one in seen),
    ]
    return Scope(next((one.label for one in choices if one.current), "All"), choices)


def sees_nothing(request: HttpRequest) -> str:
    """Why every list is empty for this person, whatever there is; "" for whoever sees a unit."""
    actor = actor_of(request)
    if scope.unit_ids(actor, "view"):
        return ""
    return "no unit" if scope.sees_every_unit(actor) else "no role"


def nav_version(request: HttpRequest) -> str:
    numbers = _counts(request)
    stops = len(stop_band(request).stops)
    return f"{numbers.approvals}.{numbers.letters}.{numbers.unknown}.{numbers.alerts}.{stops}"


def stop_band(request: HttpRequest) -> Band:
    """What is stopped or bypassed, for the top of every page; looked up once a request, and only if there is anything."""
    if not hasattr(request, "_stop_band"):
        numbers = _counts(request)
        found = band(actor_of(request)) if numbers.stops or numbers.bypasses else Band([], [])
        request._stop_band = found  # type: ignore[attr-defined]
    return request._stop_band  # type: ignore[attr-defined,no-any-return]


def operates(request: HttpRequest) -> frozenset[UUID]:
    """Where this person may stop things: their pages offer it."""
    return scope.unit_ids(actor_of(request), "operate")


def administers(request: HttpRequest) -> bool:
    """May they write test items? Some of the staff keep budgets or prices only. Others' pages pay no query for the answer."""
    return request.user.is_staff and is_administrator(actor_of(request))


def audits(request: HttpRequest) -> bool:
    """May they look at figures?"""
    actor = actor_of(request)
    return bool(scope.unit_ids(actor, "audit") or (administers(request) and scope.unit_ids(actor, "view")))


def pause(request: HttpRequest) -> pauses.Stretch | None:
    """A suggestion for whoever has decided a lot; nobody else's page asks for it."""
    if _counts(request).decided < pauses.FEWEST:
        return None
    return pauses.due(actor_of(request), now=timezone.now())


def _counts(request: HttpRequest) -> Counts:
    if not hasattr(request, "_counts"):
        request._counts = counts(actor_of(request))  # type: ignore[attr-defined]
    return request._counts  # type: ignore[attr-defined,no-any-return]


@require_safe
def nav_part(request: HttpRequest) -> HttpResponse:
    """The navigation again, when a number in it has changed."""
    return unchanged(request, nav_version(request)) or render(request, "parts/_nav.html")
