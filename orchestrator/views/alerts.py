"""Pages of alerts: the list, one alert, and what people do about it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from audit.lifecycle import database_now
from audit.web import actor_of, address, chips, crumbs, cursors, page, pager, unchanged
from orchestrator.forms.alerts import AcknowledgeForm, AlertFilters, HandOverForm, MuteForm
from orchestrator.models import Alert
from orchestrator.operations import alerts as operations
from orchestrator.queries import alerts as queries
from orchestrator.queries.work import units_to_choose
from orchestrator.views.drill import SAID_BY, figure_chip


@require_safe
def alert_list(request: HttpRequest) -> HttpResponse:
    """The alert seen last on top."""
    actor = actor_of(request)
    form = AlertFilters(request.GET, offered={"unit": units_to_choose(actor)})
    chosen, behind = form.chosen(), form.behind()
    found = queries.alert_list(actor, **chosen, behind=behind, **cursors(request))
    rest = dict.fromkeys((*SAID_BY, "after", "before"))
    context = {
        "form": form,
        "listing": found,
        "chips": [*figure_chip(request, behind), *chips(request, form)],
        "tab": chosen["tab"],
        "views": [
            (label, address(request, tab=tab or None, **rest), behind is None and tab == chosen["tab"])
            for tab, label in queries.TABS.items()
        ],
        "pager": pager(request, found.slice),
    }
    return page(request, "orchestrator/alert_list.html", "orchestrator/_alert_rows.html", context)


@require_safe
def alert_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One alert: what is so, since when, whose it is, what to do."""
    shown = queries.alert_page(actor_of(request), pk)
    return unchanged(request, shown.version) or _page(request, shown)


def _page(
    request: HttpRequest, shown: queries.AlertPage, faulty: Form | None = None, *, status: int = 200
) -> HttpResponse:
    forms: dict[str, Any] = {
        "acknowledge": AcknowledgeForm(),
        "hand": HandOverForm(candidates=shown.candidates),
        "mute": MuteForm(),
    }
    if faulty is not None:
        forms[str(faulty.prefix)] = faulty
    context = {
        "crumbs": crumbs("Alerts", "alerts", shown.alert.words),
        "shown": shown,
        "alert": shown.alert,
        "forms": forms,
    }
    return page(request, "orchestrator/alert_detail.html", "orchestrator/_alert.html", context, status=status)


@require_POST
def acknowledgements(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say that one knows."""
    form = AcknowledgeForm(request.POST)
    if not form.is_valid():
        return _page(request, queries.alert_page(actor_of(request), pk), form, status=422)
    alert = operations.acknowledge(alert_id=pk, by=actor_of(request), why=form.cleaned_data["reason"])
    return _done(request, alert, "Acknowledged. Nobody is reminded of it any more.")


@require_POST
def handovers(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give it to somebody else."""
    shown = queries.alert_page(actor_of(request), pk)
    form = HandOverForm(request.POST, candidates=shown.candidates)
    if shown.may_operate and not form.is_valid():
        return _page(request, shown, form, status=422)
    to, why = form.data.get("hand-to", ""), form.data.get("hand-reason", "")
    alert = operations.hand_over(alert_id=pk, by=actor_of(request), to=to, why=why)
    return _done(request, alert, f"It is {alert.owner_name}'s now.")


@require_POST
def mutes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tell nobody for a while."""
    form = MuteForm(request.POST)
    if not form.is_valid():
        return _page(request, queries.alert_page(actor_of(request), pk), form, status=422)
    alert = operations.mute(
        alert_id=pk, by=actor_of(request), until=form.until(database_now()), why=form.cleaned_data["reason"]
    )
    return _done(request, alert, "Muted. It stays on every list.")


@require_POST
def unmutes(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Let it be told again."""
    return _done(request, operations.unmute(alert_id=pk, by=actor_of(request)), "Its owner is told again.")


def _done(request: HttpRequest, alert: Alert, words: str) -> HttpResponse:
    messages.success(request, words)
    return redirect(alert)
