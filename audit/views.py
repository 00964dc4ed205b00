"""Pages that belong to no one thing: the trail, a person's preferences, help, and the kit's gallery."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from audit import queries, scope
from audit.filter_forms import search
from audit.gallery import gallery_context
from audit.models import AuditEvent
from audit.naming import names_of
from audit.preferences import Preferences, PreferencesForm, keep, preferences_of
from audit.presenters import spoken, tell
from audit.queries import TrailFilters
from audit.web import actor_of, chips, crumbs, cursors, page, pager

LATEST = date(2999, 12, 30)


class TrailForm(forms.Form):
    """The trail's filters. Times are UTC, like everything on the audit pages."""

    q = search()
    kind = forms.ChoiceField(required=False, label="About")
    actor = forms.CharField(
        required=False,
        max_length=200,
        label="Who",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "a name, or user:7"}),
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="Until", widget=forms.DateInput(attrs={"type": "date"}))
    object = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = [("", "Anything"), *((kind, spoken(kind).capitalize()) for kind in kinds)]
        self.fields["kind"].choices = options  # type: ignore[attr-defined]

    def filters(self) -> TrailFilters:
        self.is_valid()
        given = self.cleaned_data
        return TrailFilters(
            q=given.get("q") or "",
            event=f"{given['kind']}." if given.get("kind") else "",
            actor=given.get("actor") or "",
            object=given.get("object"),
            since=_midnight(given.get("since")),
            until=_midnight(given.get("until"), days=1),
        )


def _midnight(day: date | None, *, days: int = 0) -> datetime | None:
    """The day after the last one there is would be none."""
    return datetime.combine(min(day, LATEST), time.min, tzinfo=UTC) + timedelta(days=days) if day else None


def _reads_site(request: HttpRequest) -> bool:
    """Sign-ins and refusals belong to no unit: reading them takes the permission on the trail itself."""
    return request.user.has_perm("audit.view_auditevent")


@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """What happened, newest first, in the units this person audits."""
    reader, site = actor_of(request), _reads_site(request)
    form = TrailForm(request.GET, kinds=queries.event_kinds())
    found = queries.trail_page(reader, form.filters(), site=site, **cursors(request))
    context = {
        "form": form,
        "listing": found,
        "chips": chips(request, form, hidden=["object"]),
        "reads": site or bool(scope.unit_ids(reader, "audit")),
        "pager": pager(request, found.slice),
    }
    return page(request, "audit/event_list.html", "audit/_event_rows.html", context)


@require_safe
def event(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One entry, with its place in the chain."""
    rows = AuditEvent.objects.visible_to(actor_of(request), site=_reads_site(request))
    found: AuditEvent = queries.visible_or_refuse(rows, pk, "audit event")
    before, after = queries.neighbours(found)
    context = {
        "crumbs": crumbs("Audit log", "audit", f"{found.stream} #{found.seq}"),
        "told": tell(found, names_of([found.object_id])),
        "event": found,
        "earlier": before,
        "later": after,
        "hash": bytes(found.hash).hex(),
        "hash_before": bytes(before.hash).hex() if before else "",
    }
    return render(request, "audit/event_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """Theme, density, time zone and shortcuts of this person, in this browser."""
    chosen = preferences_of(request)
    initial = {name: getattr(chosen, name) for name in chosen.__slots__}
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        answer = redirect("preferences")
        keep(request, answer, Preferences(**form.cleaned_data))
        messages.success(request, "Your preferences are saved.")
        return answer
    return render(request, "audit/preferences.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """What the words mean and where things are."""
    return render(request, "audit/help.html")


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Every part of the design kit in every state."""
    return render(request, "gallery/gallery.html", gallery_context(timezone.now()))
