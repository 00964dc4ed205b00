"""Claiming from the queue and from the review page: by POST, answered with the row or the part that has changed."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from approvals import queries
from approvals.operations import claims
from approvals.queries import queue as queues
from approvals.views.review import too_late
from approvals.views.within import standing_on, suffix
from audit.refusals import Stale
from audit.web import actor_of, came_from, is_part, target_of

Verb = Callable[..., Any]


@require_POST
def claim(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take it in hand, or take over what lapsed."""
    return _answered(request, pk, claims.claim, "You hold this request now.")


@require_POST
def renew(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Sent by the review page while somebody reads it, and by the button that says so."""
    said = "" if "X-Live" in request.headers else "You hold this request a while longer."
    return _answered(request, pk, claims.renew, said)


@require_POST
def release(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give it back."""
    return _answered(request, pk, claims.release, "You have released this request.")


def _answered(request: HttpRequest, pk: UUID, verb: Verb, done: str) -> HttpResponse:
    by = actor_of(request)
    try:
        verb(request_id=pk, by=by)
    except Stale as refusal:
        return too_late(request, pk, refusal)
    if not is_part(request):
        messages.success(request, done)
        return redirect(came_from(request) or reverse("approval", args=[pk]))
    if target_of(request).startswith("request-"):
        context = {
            "row": queues.one_row(by, pk),
            "by_due_time": True,
            "within": suffix(standing_on(request)),
            "said": done,
        }
        return render(request, "approvals/_request_row.html", context)
    shown = queries.review(by, pk, now=timezone.now())
    return render(request, "approvals/_claim.html", {"shown": shown, "approval": shown.request, "said": done})
