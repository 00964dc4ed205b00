"""The first page, and the go-to box."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.web import actor_of
from orchestrator.queries import work as queries


@require_safe
def work(request: HttpRequest) -> HttpResponse:
    """What waits for this person, what was decided, what is stuck, what they started."""
    found = queries.work(actor_of(request), now=timezone.now())
    return render(request, "orchestrator/work.html", {"work": found})


@require_safe
def go(request: HttpRequest) -> HttpResponse:
    """An id, the end of one, or words: straight to the thing when there is one, else a list."""
    text = request.GET.get("q", "").strip().replace("\0", "")[:200]
    found = queries.find(actor_of(request), text) if text else []
    if len(found) == 1:
        return redirect(found[0].url)
    return render(request, "orchestrator/go.html", {"text": text, "found": found})
