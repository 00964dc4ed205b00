"""Pages of undoing: what it would do and the button that asks for it, and how often executions are undone."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit.refusals import Refusal
from audit.templatetags._render import short_id
from audit.web import actor_of, crumbs, page
from orchestrator.forms.undo import RollbackForm, UndoForm
from orchestrator.gate.duties import hands_in
from orchestrator.models import Execution
from orchestrator.operations.executions import refuse_unless_operator
from orchestrator.operations.undo_plan import UndoPlan, plan_of
from orchestrator.queries import execution as one
from orchestrator.queries import executions as all_of_them
from orchestrator.queries.actions import title, tools_of
from orchestrator.queries.undoing import rollback_rates, undoings_of
from orchestrator.releases import undoing


@require_http_methods(["GET", "HEAD", "POST"])
def undos(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say what undoing means, effect by effect, and ask why; the POST starts it."""
    actor = actor_of(request)
    execution = one.visible(actor, pk)
    refuse_unless_operator(actor, execution.unit_id, execution.unit_title)
    plan = plan_of(execution)
    tools = tools_of([effect.action for effect in plan.effects])
    titles = {effect.action.pk: title(effect.action, tools) for effect in plan.effects}
    data = request.POST if request.method == "POST" else None
    form = UndoForm(data, plan=plan, titles=titles, only=request.GET.get("action", ""))
    if data is not None and form.is_valid():
        run = undoing.undo_execution(execution_id=pk, by=actor, why=form.cleaned_data["reason"], only=form.only())
        messages.success(request, "The undo has started. This page follows it.")
        return redirect(run)
    return _undo_page(request, plan, titles, form)


def _undo_page(request: HttpRequest, plan: UndoPlan, titles: dict[UUID, str], form: UndoForm) -> HttpResponse:
    execution = plan.execution
    place = crumbs("Executions", "executions", f"EXE-{short_id(execution.pk)}", "Undo")
    place[1]["url"] = execution.get_absolute_url()
    context = {
        "crumbs": place,
        "form": form,
        "execution": execution,
        "plan": plan,
        "effects": [(effect, titles[effect.action.pk]) for effect in plan.effects],
        "kept": len(plan.in_state("cannot")),
        "by_hand": [given for given in hands_in(execution.pk).results if given.step],
        "refusal": _refusal(execution),
        "undoing": undoings_of([execution]).get(execution.pk),
    }
    return render(request, "orchestrator/undo.html", context, status=422 if form.is_bound else 200)


def _refusal(execution: Execution) -> Refusal | None:
    """Why it cannot start now: what pressing the button would answer."""
    try:
        undoing.refuse_unless_ended(execution)
        undoing.refuse_while_undoing(execution)
    except Refusal as refusal:
        return refusal
    return None


@require_safe
def rollbacks(request: HttpRequest) -> HttpResponse:
    """How many of the executions that ended had to be undone, per workflow."""
    actor = actor_of(request)
    offered = {"unit": all_of_them.choices(actor)["unit"]}
    given = request.GET.copy()
    given.setdefault("since", "168")
    form = RollbackForm(given, offered=offered)
    chosen: dict[str, Any] = form.chosen(timezone.now())
    context = {"form": form, "rows": rollback_rates(actor, **chosen)}
    return page(request, "orchestrator/rollback_list.html", "orchestrator/_rollback_rows.html", context)
