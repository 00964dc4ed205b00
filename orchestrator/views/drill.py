"""From a figure to what it counts: the address of the list behind it, and what that list says it shows."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from audit.web import address
from orchestrator.queries.behind import CALLS, Behind

WORDS = {
    "asked": "Asked for",
    "ended": "Ended by themselves",
    "succeeded": "Succeeded",
    "completed": "Over",
    "escalated": "A person was asked",
    "undone": "Somebody asked to undo it",
    "leaked": "Exception leaked",
    "measured": "Overhead measured",
    "priced": "Cost known",
    "failed": "Failed",
    "turned_down": "Rejected or cancelled",
    "under_way": "Under way",
    "proposed": "Calls proposed",
    "denied": "Calls denied",
}
SAID_BY = ("figure", "asked_from", "asked_until", "tree", "by", "line")


def list_behind(behind: Behind) -> str:
    """The address of the list of executions or calls that this figure counts."""
    return f"{reverse('actions' if behind.figure in CALLS else 'executions')}?{behind.query}"


def figure_chip(request: HttpRequest, behind: Behind | None) -> list[dict[str, Any]]:
    """The figure as one chip, which takes all of it away."""
    if behind is None:
        return []
    days = " to ".join(f"{timezone.localtime(at):%d %b %Y %H:%M}" for at in (behind.since, behind.until))
    said = ", ".join(filter(None, [WORDS[behind.figure], behind.line, days]))
    away = address(request, **dict.fromkeys(SAID_BY), after=None, before=None)
    return [{"label": "Behind the figure", "value": said, "url": away}]
