"""One cost line: what it says, what corrects it, and the form that corrects it. It is written after a second look only."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from audit.refusals import Invalid
from audit.web import actor_of, crumbs, record_refusal
from budgets.operations import planned
from orchestrator.forms.costs import CorrectionForm
from orchestrator.operations import corrections as operations
from orchestrator.queries.cost_line import LinePage, line_page


@require_safe
def line_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What was used, what it cost, how that is known, and every correction."""
    shown = line_page(actor_of(request), pk)
    return render(request, "orchestrator/cost_line.html", {"shown": shown, "line": shown.line, "crumbs": _crumbs()})


@require_http_methods(["GET", "HEAD", "POST"])
def corrections(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask what it really cost and why, show what that changes, and write it once that is confirmed."""
    actor = actor_of(request)
    operations.to_correct(pk, actor)
    shown = line_page(actor, pk)
    form = CorrectionForm(request.POST if request.method == "POST" else None, shown=shown)
    if request.method != "POST" or not form.is_valid():
        return _form(request, shown, form)
    try:
        plan = planned(shown.line, to=form.cleaned_data["to"], currency=form.cleaned_data["currency"])
        if "confirmed" in request.POST:
            operations.correct(line_id=pk, wanted=form.wanted(), by=actor)
            messages.success(request, "The correction is written. The line itself stays as it is.")
            return redirect("cost_line", pk=pk)
    except Invalid as refusal:
        record_refusal(request, refusal)
        form.add_error(
            None, " ".join([refusal.message, *(said for _, _, said in refusal.errors), refusal.remedy]).strip()
        )
        return _form(request, shown, form)
    context = {"shown": shown, "line": shown.line, "form": form, "plan": plan, "crumbs": _crumbs(pk, "Correct")}
    return render(request, "orchestrator/cost_correction_confirm.html", context)


def _form(request: HttpRequest, shown: LinePage, form: CorrectionForm) -> HttpResponse:
    context = {"shown": shown, "line": shown.line, "form": form, "crumbs": _crumbs(shown.line.pk, "Correct")}
    return render(request, "orchestrator/cost_correction.html", context, status=422 if form.is_bound else 200)


def _crumbs(pk: UUID | None = None, *last: str) -> list[dict[str, str]]:
    place = [*crumbs("Costs", "costs"), *crumbs("Lines", "cost_lines", "Line", *last)]
    if pk is not None:
        place[2]["url"] = reverse("cost_line", args=[pk])
    return place
