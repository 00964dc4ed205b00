"""The pages of deciding. Each view translates in, calls once, translates out."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import operations, queries
from approvals.forms import DecisionForm
from approvals.queries import Review
from audit.refusals import Refusal
from audit.templatetags._render import short_id
from audit.web import actor_of, crumbs, is_part, page, record_refusal, unchanged


@require_safe
def review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One request, read in the fixed order: act, change, evidence, policy, and last the agent's own words."""
    shown = queries.review(actor_of(request), pk, now=timezone.now())
    form = DecisionForm(approval=shown.request)
    return unchanged(request, shown.version) or _review_page(request, shown, form)


@require_POST
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Record one voice. A refusal keeps what was typed and shows what is different now."""
    actor = actor_of(request)
    shown = queries.review(actor, pk, now=timezone.now())
    form = DecisionForm(request.POST, approval=shown.request)
    if not form.is_valid():
        return _review_page(request, shown, form, status=422)
    act = operations.approve if form.says_yes else operations.reject
    try:
        act(request_id=pk, by=actor, voice=form.voice())
    except Refusal as refusal:
        return _refused(request, pk, form, refusal)
    if is_part(request):
        shown = queries.review(actor, pk, now=timezone.now())
        return _review_page(request, shown, DecisionForm(approval=shown.request), just_decided=True)
    messages.success(request, "Your decision is recorded.")
    return redirect(shown.request)


def _refused(request: HttpRequest, pk: UUID, form: DecisionForm, refusal: Refusal) -> HttpResponse:
    """The same page with the refusal in it: typed text stays, and what was read is compared with what waits."""
    shown = queries.review(actor_of(request), pk, now=timezone.now())
    read = form.cleaned_data["digest"]
    answer = _review_page(
        request, shown, form, status=refusal.status_code, refusal=refusal,
        reference=record_refusal(request, refusal),
        read=read if read != shown.request.digest else "",
        difference=queries.difference_from(shown.request, read),
    )  # fmt: skip
    # Said in its own place: without this, htmx would put the refusal among the page's messages.
    answer["HX-Retarget"], answer["HX-Reswap"] = "#review", "outerHTML"
    return answer


def _review_page(
    request: HttpRequest, shown: Review, form: DecisionForm, *, status: int = 200, **more: Any
) -> HttpResponse:
    next_one = queries.next_waiting(actor_of(request), but=shown.request.pk) if shown.mine else None
    place = crumbs("Approvals", "approvals", f"APR-{short_id(shown.request.pk)}")
    context = {"crumbs": place, "shown": shown, "approval": shown.request, "form": form, "next_one": next_one}
    return page(request, "approvals/request_detail.html", "approvals/_review.html", {**context, **more}, status=status)
