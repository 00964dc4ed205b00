"""Traces out that were switched off: nothing is behind any more, and switched on again they begin with what ends from then on.

A worker without a sink does not know whether another host has one that is down. So it waits for a day in which nobody tried.
"""

from django.conf import settings
from django.db import transaction

from audit import events
from audit.actors import system
from audit.lifecycle import run

SILENT_HOURS = 24
_SILENT = "FROM orchestrator_traceexport WHERE held_until < clock_timestamp() - make_interval(hours => %s)"


def forget() -> int:
    """How many places."""
    if settings.TRACE_EXPORT or not run(f"SELECT 1 {_SILENT}", [SILENT_HOURS]):
        return 0
    return _forget()


@transaction.atomic
def _forget() -> int:
    """The trail says up to when traces were sent."""
    places = run(f"DELETE {_SILENT} RETURNING caught_up_at", [SILENT_HOURS])
    for (caught_up_at,) in places:
        events.record(
            "traces.switched_off", by=system("traces"), stream="traces:out", data={"sent_until": caught_up_at.isoformat()}
        )  # fmt: skip
    return len(places)
