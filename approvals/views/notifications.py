"""How one person is told: at once, together, or not at all; and when not to disturb them."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from approvals.forms.notifications import NotificationForm
from approvals.models import NotificationChoice
from audit import events
from audit.web import actor_of, crumbs


@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: HttpRequest) -> HttpResponse:
    """The form, and what it says now."""
    person: Any = request.user
    chosen = NotificationChoice.objects.filter(pk=person.pk).first() or NotificationChoice(person=person)
    form = NotificationForm(request.POST if request.method == "POST" else None, instance=chosen)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            events.record("person.notifications_changed", by=actor_of(request), data={"pace": chosen.pace})
        messages.success(request, "How you are told is saved.")
        return redirect("notifications")
    context = {"form": form, "crumbs": crumbs("Preferences", "preferences", "Notifications")}
    return render(request, "approvals/notifications.html", context, status=422 if form.is_bound else 200)
