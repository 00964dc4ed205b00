"""How one person likes the console: theme, density, time zone, shortcuts. Kept by their browser, from one sign-in to the next.

A time that somebody types is meant in their zone: it may not be another one because their sign-in ran out meanwhile.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from audit.moments import zone_of

KEPT_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Preferences:
    theme: str = "system"
    density: str = "comfortable"
    time_zone: str = ""
    shortcuts: bool = True


def preferences_of(request: HttpRequest) -> Preferences:
    """What the person chose in this browser (the form checked it then), and the defaults for the rest.

    A zone that this host no longer knows is UTC: the next one may have fewer names.
    """
    if not request.user.is_authenticated:
        return Preferences()
    stored = json.loads(
        request.get_signed_cookie(_cookie(request), "{}", salt=_cookie(request), max_age=KEPT_FOR) or "{}"
    )
    chosen = Preferences(**{name: stored[name] for name in Preferences.__slots__ if name in stored})
    is_known = not chosen.time_zone or zone_of(chosen.time_zone).key == chosen.time_zone
    return chosen if is_known else replace(chosen, time_zone="")


def keep(request: HttpRequest, response: HttpResponse, chosen: Preferences) -> None:
    response.set_signed_cookie(
        _cookie(request), json.dumps(asdict(chosen)), salt=_cookie(request), max_age=int(KEPT_FOR.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax",
    )  # fmt: skip


def _cookie(request: HttpRequest) -> str:
    """Each person has one of their own: several may use a browser."""
    return f"preferences-{request.user.pk}"


class PreferencesForm(forms.Form):
    """All four, on one page."""

    theme = forms.ChoiceField(
        choices=[("system", "As the system"), ("light", "Light"), ("dark", "Dark")], widget=forms.RadioSelect
    )
    density = forms.ChoiceField(
        choices=[("comfortable", "Comfortable"), ("compact", "Compact")], widget=forms.RadioSelect, label="Rows"
    )
    time_zone = forms.ChoiceField(
        required=False, help_text="Every time also shows UTC when you point at it. The audit trail is always in UTC."
    )
    shortcuts = forms.BooleanField(
        required=False, label="Single-key shortcuts", help_text="Ctrl+Enter and Esc work either way."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [("", "UTC"), *((zone, zone) for zone in zones_by_place())]
        self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]


@cache
def zones_by_place() -> list[str]:
    """Zones named after places. Reading the list walks hundreds of files, so once per process."""
    return sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))


class TimeZoneMiddleware:
    """Times are shown in the person's own zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = preferences_of(request).time_zone
        with timezone.override(ZoneInfo(chosen) if chosen else None):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """A page stays in the zone that it names, and so does what is typed in it, whatever was chosen meanwhile."""
        # Whoever brings no token brings no page either, and reads their body themselves.
        typed = "" if getattr(view, "csrf_exempt", False) else request.POST.get("zone", "")
        named = request.headers.get("X-Zone") or typed
        if zone_of(named).key == named:
            timezone.activate(ZoneInfo(named))
