"""The pages of break-glass: signing alone, and the second look afterwards."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import queries
from approvals.forms.confirming import voice_of
from approvals.forms.deciding import BreakGlassForm, DecisionForm, LookForm
from approvals.models import BreakGlass
from approvals.operations import emergencies
from approvals.views.review import review_page, too_late
from audit.queries import Keyset, visible_or_refuse
from audit.refusals import Invalid, Stale
from audit.web import actor_of, crumbs, cursors, pager, record_refusal

NEWEST_FIRST = Keyset(("-broken_at", "-id"))


@require_safe
def glass_list(request: HttpRequest) -> HttpResponse:
    """What waits for a second look, and every emergency there was."""
    actor = actor_of(request)
    rows = BreakGlass.objects.visible_to(actor).select_related("request")
    found = NEWEST_FIRST.slice(rows, **cursors(request))
    context = {
        "listing": found,
        "waiting": set(BreakGlass.objects.waiting_for(actor).values_list("pk", flat=True)),
        "pager": pager(request, found),
        "crumbs": crumbs("Approvals", "approvals", "Signed alone"),
    }
    return render(request, "approvals/emergency_list.html", context)


@require_POST
def break_glass(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Sign alone, with a reason. What cannot be used is said on the same page, and what was typed stays."""
    actor = actor_of(request)
    shown = queries.review(actor, pk, now=timezone.now())
    form = BreakGlassForm(request.POST, approval=shown.request)
    if not form.is_valid():
        return _as_typed(request, shown, glass_form=form)
    try:
        voice = voice_of(form, actor)
        emergencies.break_glass(request_id=pk, by=actor, voice=voice, reason=form.cleaned_data["reason"])
    except Invalid as refusal:
        record_refusal(request, refusal)
        if not form.blame(refusal):
            form.add_error(None, refusal.message)
        return _as_typed(request, shown, glass_form=form)
    except Stale as refusal:
        return too_late(request, pk, refusal)
    messages.warning(
        request, "You signed alone. Everybody who may review is told, and somebody looks at it afterwards."
    )
    return redirect(shown.request)


@require_POST
def looks(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A second person says whether it was right."""
    actor = actor_of(request)
    glass = visible_or_refuse(BreakGlass.objects.visible_to(actor).select_related("request"), pk, "emergency")
    form = LookForm(request.POST)
    if not form.is_valid():
        return _as_typed(request, queries.review(actor, glass.request_id, now=timezone.now()), look_form=form)
    given = form.cleaned_data
    emergencies.look_afterwards(glass_id=pk, by=actor, justified=given["verdict"] == "justified", note=given["note"])
    messages.success(request, "Your look at it is recorded.")
    return redirect(glass.request)


def _as_typed(request: HttpRequest, shown: queries.Review, **forms: Any) -> HttpResponse:
    """The review page again, with what cannot be used and why."""
    return review_page(request, shown, DecisionForm(approval=shown.request), status=422, **forms)
