"""What foreign agents reported goes after TRACE_SPAN_DAYS: whole traces, a few at a time, and never what is part of ours.

A trace is a unit's spans of one id. It goes once the last of them came so long ago, by the id that it was given when it came
and not by what it says of itself. It stays for good where an execution or a call of ours is in it, or where a span was told
with the outcome of a call. Cost lines stay: they are the ledger's.
"""

import json
from collections import defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from audit import events
from audit.ids import earliest_id
from audit.lifecycle import database_now, run
from audit.models import AuditEvent, Span, SpanUse
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.every import Every

LOOK_EVERY_SECONDS = 10
# Rows that one look reads. What it deletes are the whole traces among them, the last of which may be longer.
BATCH = 2_000
NOBODY = UUID(int=0)
REMOVED = "spans.removed"

# Whoever brings spans of the unit holds its row as we do, so nothing joins a trace between the look and its end. An execution
# that begins in that moment under an id as old as this finds the spans gone, as it would have a moment later.
_FORGET = """
WITH gone AS (
  SELECT old.trace_id FROM unnest(%(traces)s::uuid[]) AS old (trace_id)
  WHERE NOT EXISTS (SELECT FROM audit_span AS p
      WHERE p.trace_id = old.trace_id AND p.unit_id = %(unit)s AND (p.id >= %(end)s OR p.agent = ''))
    AND NOT EXISTS (SELECT FROM orchestrator_execution AS e WHERE e.id = old.trace_id)
    AND NOT EXISTS (SELECT FROM orchestrator_execution AS e WHERE e.trace_id = old.trace_id AND NOT (e.trace_id = e.id))
    AND NOT EXISTS (SELECT FROM orchestrator_action AS a WHERE a.id = old.trace_id)
    AND NOT EXISTS (SELECT FROM orchestrator_action AS a WHERE a.trace_id = old.trace_id)
), removed AS (
  DELETE FROM audit_span AS p USING gone WHERE p.trace_id = gone.trace_id AND p.unit_id = %(unit)s RETURNING p.trace_id
)
SELECT count(DISTINCT trace_id), count(*) FROM removed
"""


def kept_since() -> datetime | None:
    """What came before may go. None: everything stays."""
    days: int = settings.TRACE_SPAN_DAYS
    return database_now() - timedelta(days=days) if days else None


def taken_since(unit_id: UUID) -> datetime | None:
    """What ended before is refused: it would go at once, or it went already, under a setting of before or of another host,
    and would be charged once more.
    """
    gone = (
        AuditEvent.objects.filter(stream=_stream(unit_id), event=REMOVED)
        .order_by("-seq")
        .values_list("data", flat=True)
    )
    before = [datetime.fromisoformat(json.loads(data)["before"]) for data in gone[:1]]
    return max([*before, *filter(None, [kept_since()])], default=None)


def _stream(unit_id: UUID) -> str:
    return f"traces:unit:{unit_id}"


class Forgetting:
    """Walks from the oldest span on, a batch at a time; at the end it begins anew. What stays is not read again each time."""

    def __init__(self) -> None:
        self._after = NOBODY

    def __call__(self) -> int:
        """One batch. Returns how many spans went."""
        since = kept_since()
        if since is None:
            return 0
        end = earliest_id(since)
        old = Span.objects.filter(pk__gt=self._after, pk__lt=end).exclude(agent="").order_by("pk")
        rows = list(old.values_list("pk", "unit_id", "trace_id")[:BATCH])
        self._after = rows[-1][0] if len(rows) == BATCH else NOBODY
        traces: dict[UUID, set[UUID]] = defaultdict(set)
        for _, unit_id, trace_id in rows:
            traces[unit_id].add(trace_id)
        return sum(_forget(unit_id, ids, since) for unit_id, ids in traces.items())


@transaction.atomic
def _forget(unit_id: UUID, traces: set[UUID], since: datetime) -> int:
    """Where somebody brings spans right now, or another host is at it, the next walk comes by again."""
    if not SpanUse.objects.select_for_update(skip_locked=True).filter(pk=unit_id).exists():
        return 0
    given = {"traces": sorted(traces), "unit": unit_id, "end": earliest_id(since)}
    ((gone, spans),) = run(_FORGET, given)
    if gone:
        events.record(
            REMOVED, by=ENGINE, stream=_stream(unit_id), unit_id=unit_id,
            why=f"received more than {settings.TRACE_SPAN_DAYS} days ago",
            data={"traces": gone, "spans": spans, "before": since.isoformat()},
        )  # fmt: skip
    return int(spans)


forget = Every(LOOK_EVERY_SECONDS, Forgetting())
