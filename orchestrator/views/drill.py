"""From a figure to what it counts: the address of the list behind it, and what that list says it shows."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from audit.web import address
from orchestrator.health.refused import KINDS
from orchestrator.queries.behind import ALERTS, CALLS, DOUBTS, LETTERS, REFUSED, Behind

WORDS = {
    "asked": "Asked for",
    "ended": "Ended by themselves",
    "succeeded": "Succeeded",
    "completed": "Over",
    "escalated": "A person was asked",
    "undone": "Somebody asked to undo it",
    "leaked": "Exception leaked",
    "measured": "Overhead measured",
    "staged": "Time told by stage",
    "priced": "Cost known",
    "failed": "Failed",
    "turned_down": "Rejected or cancelled",
    "under_way": "Under way",
    "proposed": "Calls proposed",
    "denied": "Calls denied",
    "letters_resolved": "Came up, and over",
    "letters_open": "Came up, and not over",
    "doubts_resolved": "Came up, and known by now",
    "doubts_open": "Came up, and still not known",
    "alerts_resolved": "Opened, and over",
    "alerts_open": "Opened, and not over",
    **{figure: f"Denied calls: {KINDS[figure.removeprefix('refused_')]}" for figure in REFUSED},
}
_LISTS = {
    **dict.fromkeys((*CALLS, *DOUBTS, *REFUSED), "actions"),
    **dict.fromkeys(LETTERS, "dead_letters"),
    **dict.fromkeys(ALERTS, "alerts"),
}
SAID_BY = ("figure", "asked_from", "asked_until", "tree", "by", "line")


def list_behind(behind: Behind) -> str:
    """The address of the list of executions, calls, dead letters or alerts that this figure counts."""
    return f"{reverse(_LISTS.get(behind.figure, 'executions'))}?{behind.query}"


def figure_chip(request: HttpRequest, behind: Behind | None) -> list[dict[str, Any]]:
    """The figure as one chip, which takes all of it away."""
    if behind is None:
        return []
    days = " to ".join(f"{timezone.localtime(at):%d %b %Y %H:%M}" for at in (behind.since, behind.until))
    said = ", ".join(filter(None, [WORDS[behind.figure], behind.line, days]))
    away = address(request, **dict.fromkeys(SAID_BY), after=None, before=None)
    return [{"label": "Behind the figure", "value": said, "url": away}]
