"""Pages of stops: what is stopped now, one stop, the page that engages one and the form that lifts one."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals.models import StopScope
from approvals.operations import stops as operations
from audit.web import actor_of, crumbs, cursors, page, pager, unchanged
from orchestrator.forms.stops import LiftForm, StopForm
from orchestrator.queries import stops as queries
from orchestrator.views import frame


@require_safe
def stop_list(request: HttpRequest) -> HttpResponse:
    """What is stopped now, and every stop there was."""
    found = queries.stop_list(actor_of(request), **cursors(request))
    context = {"listing": found, "pager": pager(request, found.slice)}
    return page(request, "orchestrator/stop_list.html", "orchestrator/_stop_rows.html", context)


@require_safe
def stop_band(request: HttpRequest) -> HttpResponse:
    """The band on top of every page again, when something was stopped or let go on."""
    shown = frame.stop_band(request)
    return unchanged(request, shown.version) or render(request, "parts/_stops.html")


@require_safe
def stop_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One stop, what waits for it, and how it is lifted."""
    shown = queries.stop_page(actor_of(request), pk)
    return unchanged(request, shown.version) or _stop_page(request, shown, LiftForm())


@require_http_methods(["GET", "HEAD", "POST"])
def engage(request: HttpRequest) -> HttpResponse:
    """Say what stopping does, and ask what and why; the POST stops it. The address carries what the person came from."""
    actor = actor_of(request)
    came_from = {name: request.GET.get(name, "")[:200] for name in ("agent", "tool", "unit")}
    offered = queries.choices(actor, agent=came_from["agent"], tool=came_from["tool"])
    form = StopForm(
        request.POST if request.method == "POST" else None,
        offered=offered,
        initial={**came_from, "what": _first_choice(came_from)},
    )
    if request.method == "POST" and form.is_valid():
        stop = operations.engage(target=form.target(), by=actor, reason=form.cleaned_data["reason"])
        messages.success(request, "It is stopped. Nothing it covers goes out from now on.")
        return redirect(stop)
    context = {"form": form, "crumbs": crumbs("Stops", "stops", "New"), "may_stop": bool(offered["unit"])}
    return render(request, "orchestrator/stop_new.html", context, status=422 if form.is_bound else 200)


def _first_choice(came_from: dict[str, str]) -> str:
    """What somebody who came from an item most likely means: its agent, else its tool, else its unit."""
    return next((name for name in (StopScope.AGENT, StopScope.TOOL, StopScope.UNIT) if came_from[name]), "")


@require_POST
def lifts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let it go on, with a reason."""
    actor = actor_of(request)
    form = LiftForm(request.POST)
    if not form.is_valid():
        return _stop_page(request, queries.stop_page(actor, pk), form, status=422)
    stop = operations.lift(stop_id=pk, by=actor, why=form.cleaned_data["reason"])
    messages.success(request, "The stop is lifted. What waited goes on within a second or two.")
    return redirect(stop)


def _stop_page(request: HttpRequest, shown: queries.StopPage, form: LiftForm, *, status: int = 200) -> HttpResponse:
    context = {"crumbs": crumbs("Stops", "stops", "Stop"), "shown": shown, "stop": shown.stop, "form": form}
    return page(request, "orchestrator/stop_detail.html", "orchestrator/_stop.html", context, status=status)
