"""Pages of executions: the list, one execution live, and the page that asks before it is stopped."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.templatetags._render import short_id
from audit.web import actor_of, address, chips, crumbs, cursors, page, pager, unchanged
from orchestrator.forms.base import ReasonForm
from orchestrator.forms.lists import ExecutionForm
from orchestrator.models import Execution
from orchestrator.operations import executions as operations
from orchestrator.queries import execution as one
from orchestrator.queries import executions as queries
from orchestrator.views.drill import figure_chip

TABS = {"steps": "Steps", "events": "Events", "io": "Input and output", "evidence": "Evidence", "cost": "Cost"}
VIEWS = {
    "Running": {"state": "running"},
    "Waiting for people": {"state": "waiting"},
    "Dead-lettered": {"state": "dead_lettered"},
    "Failed in 24 h": {"state": "failed", "since": "24"},
    "Over budget": {"waits": "budget_hold"},
}


@require_safe
def execution_list(request: HttpRequest) -> HttpResponse:
    """Newest first, narrowed by the filters in the address."""
    actor, now = actor_of(request), timezone.now()
    form = ExecutionForm(request.GET, offered=queries.choices(actor))
    filters = form.filters(now)
    found = queries.execution_list(actor, filters, now=now, **cursors(request))
    blank = {"state": None, "since": None, "waits": None, "after": None, "before": None}
    context = {
        "form": form,
        "listing": found,
        "chips": [*figure_chip(request, filters.behind), *chips(request, form)],
        "pager": pager(request, found.slice),
        "views": [
            {"label": label, "url": address(request, **{**blank, **keys}), "current": _shows(request, keys)}
            for label, keys in VIEWS.items()
        ],
    }
    return page(request, "orchestrator/execution_list.html", "orchestrator/_execution_rows.html", context)


def _shows(request: HttpRequest, keys: dict[str, str]) -> bool:
    return all(request.GET.get(name, "") == keys.get(name, "") for name in ("state", "since", "waits"))


@require_safe
def execution_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One execution. While it lives, the page asks again and is answered only when something happened."""
    actor, now = actor_of(request), timezone.now()
    execution = one.visible(actor, pk)
    version = one.version_of(execution)
    if answer := unchanged(request, version):
        return answer
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "steps"
    shown = one.execution_page(actor, execution, tab=tab, step=request.GET.get("step", ""), version=version, now=now)
    context = {
        "crumbs": crumbs("Executions", "executions", _name(execution)),
        "shown": shown,
        "execution": execution,
        "tab": tab,
        "tab_template": f"orchestrator/_execution_{tab}.html",
        "tabs": [
            (name, label, address(request, tab=None if name == "steps" else name, step=None))
            for name, label in TABS.items()
        ],
    }
    return page(request, "orchestrator/execution_detail.html", "orchestrator/_execution.html", context)


def _name(execution: Execution) -> str:
    return f"EXE-{short_id(execution.pk)}"


@require_http_methods(["GET", "HEAD", "POST"])
def cancellations(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say what stopping means, in numbers, and ask why; the POST stops it."""
    actor = actor_of(request)
    execution = one.visible(actor, pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        operations.cancel(execution_id=pk, by=actor, why=form.cleaned_data["reason"])
        messages.success(request, "The execution is cancelled. What had been sent already stays recorded.")
        return redirect(reverse("execution", args=[pk]))
    operations.refuse_unless_operator(actor, execution.unit_id, execution.unit_title)
    place = crumbs("Executions", "executions", _name(execution), "Cancel")
    place[1]["url"] = execution.get_absolute_url()
    context = {"crumbs": place, "form": form, "execution": execution, "ending": queries.ending(execution)}
    return render(request, "orchestrator/cancellation.html", context, status=422 if form.is_bound else 200)
