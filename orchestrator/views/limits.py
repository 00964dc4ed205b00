"""The page of limits: where each stands, what waits for its turn, and the form that closes an open breaker."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from audit.web import actor_of
from orchestrator.forms.limits import CloseForm
from orchestrator.gate import limits as gate
from orchestrator.queries import limits as queries


@require_safe
def limit_list(request: HttpRequest) -> HttpResponse:
    """Every limit in force that covers something the reader sees."""
    return _page(request, CloseForm())


@require_POST
def closings(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A person knows that the other system answers again."""
    actor = actor_of(request)
    breaker = queries.breaker_to_close(actor, pk)
    form = CloseForm(request.POST)
    if not form.is_valid():
        return _page(request, form, refused=pk, status=422)
    gate.close(breaker_id=breaker.pk, by=actor, why=form.cleaned_data["reason"])
    messages.success(request, f"{breaker.limit.name} is closed. What waits asks again within seconds.")
    return redirect("limits")


def _page(request: HttpRequest, form: CloseForm, *, refused: UUID | None = None, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    found = queries.limits(actor)
    closable = queries.closable(actor, [one.breaker for one in found])
    context = {"limits": found, "form": form, "refused": refused, "closable": closable}
    return render(request, "orchestrator/limit_list.html", context, status=status)
