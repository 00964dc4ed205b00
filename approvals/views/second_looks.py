"""The pages of second looks: the list, and the review page without the verdict until one's own is in."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import queries
from approvals.forms.deciding import DecisionForm
from approvals.models import SecondLook
from approvals.operations import second_looks
from approvals.operations.second_looks import look_again, may_look, see_decision
from audit.queries import Keyset, Story, visible_or_refuse
from audit.refusals import Invalid, Refusal
from audit.web import actor_of, crumbs, cursors, pager, record_refusal

NEWEST_FIRST = Keyset(("-opened_at", "-id"))


class SecondLookForm(DecisionForm):
    """A decision's form, for a verdict that reaches no agent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].help_text = "Read by whoever sees the unit, beside the decision. “Other” needs a note."


@require_safe
def look_list(request: HttpRequest) -> HttpResponse:
    """What waits for this person, and what became of the others."""
    actor = actor_of(request)
    mine = second_looks.waiting_for(actor).select_related("request").order_by("due_at", "id")[:200]
    rows = SecondLook.objects.visible_to(actor).exclude(status="open").select_related("request")
    found = NEWEST_FIRST.slice(rows, **cursors(request))
    context = {
        "mine": list(mine),
        "listing": found,
        "pager": pager(request, found),
        "crumbs": crumbs("Approvals", "approvals", "Second looks"),
    }
    return render(request, "approvals/second_look_list.html", context)


@require_safe
def look(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The act to judge, for whoever may; both verdicts beside each other, once there are two."""
    row = _visible(request, pk)
    return _page(request, row, SecondLookForm(approval=row.request))


@require_POST
def verdicts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record what this person would have decided. What cannot be used is said beside it, and typed text stays."""
    row, actor = _visible(request, pk), actor_of(request)
    form = SecondLookForm(request.POST, approval=row.request)
    if not form.is_valid():
        return _page(request, row, form, status=422)
    try:
        look_again(look_id=pk, by=actor, verdict=form.cleaned_data["verdict"], voice=form.voice())
    except Refusal as refusal:
        said = isinstance(refusal, Invalid) and form.blame(refusal)
        refused = {"refusal": None if said else refusal, "reference": record_refusal(request, refusal)}
        return _page(request, _visible(request, pk), form, status=refusal.status_code, **refused)
    messages.success(request, "Your second look is recorded. It changed nothing about the act.")
    return redirect(row)


@require_POST
def disclosures(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show this person how it was decided. They do not look at it again, and the record says so."""
    row = see_decision(look_id=pk, by=actor_of(request))
    return redirect(row.request)


def _visible(request: HttpRequest, pk: UUID) -> SecondLook:
    rows = SecondLook.objects.visible_to(actor_of(request)).select_related("request")
    found: SecondLook = visible_or_refuse(rows, pk, "second look")
    return found


def _page(request: HttpRequest, row: SecondLook, form: DecisionForm, *, status: int = 200, **more: Any) -> HttpResponse:
    actor = actor_of(request)
    may = may_look(row, actor)
    shown = queries.review(actor, row.request_id, now=timezone.now())
    if may.allowed:
        # What follows now tells what was decided.
        shown = replace(shown, history=_asked_only(shown.history), earlier=[], decisions=[], consequences=[])
    context: dict[str, Any] = {
        "look": row,
        "may": may,
        "shown": shown,
        "approval": shown.request,
        "form": form,
        **more,
        "crumbs": [*crumbs("Approvals", "approvals"), *crumbs("Second looks", "second_looks", shown.request.title)],
    }
    return render(request, "approvals/second_look_detail.html", context, status=status)


def _asked_only(history: Story) -> Story:
    """How it began. Everything after that tells what became of it."""
    return Story(history.entries[:1])
