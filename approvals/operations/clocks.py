"""The two clocks of a request stand still while a stop covers it: time to decide, and time to use.

`freeze` remembers since when, `thaw` moves the deadlines by the time that passed; where the time to decide is one of open
hours, to where as much open time is left as there was. Both are safe to repeat, and the sweep repeats them: whatever a
race left out is caught up exactly, because the moment comes from the stop's own row.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import BusinessCalendar
from approvals.open_hours import after, between
from approvals.rules.stopped import COVERS
from audit.ids import new_id_array
from audit.lifecycle import run

BATCH, BATCHES_A_ROUND = 500, 20
_LIVE = "r.status IN ('pending', 'sent_back', 'approved')"


def _event(name: str, why: str, data: str) -> str:
    """SQL that records one event for each row of `numbered` in the request's own stream; `data` is SQL that gives text."""
    return (
        "SELECT audit_append('approval_request:' || id, jsonb_build_array(jsonb_build_object("
        f"'id', (%(ids)s::text[])[n], 'event', 'approval_request.{name}', 'actor', 'system:stops', "
        "'actor_name', 'stops', 'object', id, 'unit', unit_id, 'before', '', 'after', '', "
        f"'why', '{why}', 'data', {data}))) FROM numbered"
    )


_STOP = """'{"stop":"' || stop_id || '"}'"""
_STOOD = """'{"stood_ms":' || round(EXTRACT(EPOCH FROM stood) * 1000)::bigint || '}'"""
# What was over before the stop began is over: it is left to expire.
_FREEZE = f"""
WITH reach AS MATERIALIZED (SELECT * FROM approvals_stop_reach),
picked AS MATERIALIZED (
  SELECT r.id, stop.stop_id, GREATEST(stop.engaged_at, r.created_at, COALESCE(r.resolved_at, r.created_at)) AS since
  FROM approvals_approvalrequest AS r CROSS JOIN LATERAL (
    SELECT s.stop_id, s.engaged_at FROM reach AS s WHERE {COVERS.format(row="r")} ORDER BY s.engaged_at LIMIT 1
  ) AS stop
  WHERE {_LIVE} AND r.frozen_at IS NULL AND (%(only)s::uuid[] IS NULL OR r.id = ANY(%(only)s::uuid[]))
    AND CASE WHEN r.status = 'approved' THEN r.use_by > stop.engaged_at
             ELSE r.on_timeout <> 'reject' OR r.decide_by > stop.engaged_at END
  LIMIT %(limit)s FOR NO KEY UPDATE OF r SKIP LOCKED
), moved AS (
  UPDATE approvals_approvalrequest AS r SET frozen_at = picked.since FROM picked
  WHERE r.id = picked.id AND r.frozen_at IS NULL RETURNING r.id, r.unit_id, picked.stop_id
), numbered AS (SELECT *, row_number() OVER ()::int AS n FROM moved)
{_event("frozen", "a stop covers it", _STOP)}
"""
_FREE = f"""
{_LIVE} AND r.frozen_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reach AS s WHERE {COVERS.format(row="r")})"""
# Whose time to decide is one of open hours, and was not over when its clock stopped.
_IN_HOURS = "r.calendar_id IS NOT NULL AND r.status IN ('pending', 'sent_back') AND r.decide_by > r.frozen_at"
_TO_COUNT = f"""
WITH reach AS MATERIALIZED (SELECT * FROM approvals_stop_reach)
SELECT r.id, r.calendar_id, r.frozen_at, r.decide_by, clock_timestamp() FROM approvals_approvalrequest AS r
WHERE {_FREE} AND {_IN_HOURS} ORDER BY r.id LIMIT %(limit)s FOR NO KEY UPDATE OF r
"""
_THAW = f"""
WITH reach AS MATERIALIZED (SELECT * FROM approvals_stop_reach),
counted AS (SELECT * FROM unnest(%(counted)s::uuid[], %(due)s::timestamptz[]) AS c (id, due)),
picked AS MATERIALIZED (
  SELECT r.id, r.frozen_at, clock_timestamp() - GREATEST(r.frozen_at, r.resolved_at) AS stood,
    COALESCE((SELECT c.due FROM counted AS c WHERE c.id = r.id), r.decide_by + (clock_timestamp() - r.frozen_at)) AS due
  FROM approvals_approvalrequest AS r
  WHERE {_FREE} AND (r.id = ANY (%(counted)s::uuid[]) OR NOT ({_IN_HOURS}))
  ORDER BY r.id LIMIT %(limit)s FOR NO KEY UPDATE OF r
), moved AS (
  UPDATE approvals_approvalrequest AS r SET frozen_at = NULL, use_by = r.use_by + picked.stood,
    stood = CASE WHEN r.status IN ('pending', 'sent_back') THEN r.stood + picked.stood ELSE r.stood END,
    decide_by = CASE WHEN r.status IN ('pending', 'sent_back') THEN picked.due ELSE r.decide_by END
  FROM picked WHERE r.id = picked.id AND r.frozen_at = picked.frozen_at RETURNING r.id, r.unit_id, picked.stood
), numbered AS (SELECT *, row_number() OVER ()::int AS n FROM moved)
{_event("thawed", "the stop was lifted: its clocks run on from where they stood still", _STOOD)}
"""


_ANYTHING_TO_KEEP = """
SELECT EXISTS (SELECT 1 FROM approvals_stop WHERE status = 'engaged') OR EXISTS (
  SELECT 1 FROM approvals_approvalrequest WHERE status IN ('pending', 'sent_back', 'approved') AND frozen_at IS NOT NULL)
"""


def keep() -> int:
    """The sweep's duty: catch up with whatever a race, or a stop of many thousands, has left. Usually one small question."""
    if not run(_ANYTHING_TO_KEEP, [])[0][0]:
        return 0
    kept = 0
    for _ in range(BATCHES_A_ROUND):
        kept += (moved := freeze())
        if moved < BATCH:
            break
    return kept + thaw()


def freeze(only: Iterable[UUID] | None = None) -> int:
    """Stop the clocks of up to a batch of requests that a stop covers. A row that somebody holds is left to the sweep."""
    wanted = None if only is None else list(only)
    return len(run(_FREEZE, {**_batch(BATCH if wanted is None else len(wanted)), "only": wanted}))


def thaw() -> int:
    """Let the clocks of requests run again that no stop covers any more, a batch at a time, until none is left."""
    thawed = 0
    while moved := _thaw_some():
        thawed += moved
    return thawed


@transaction.atomic
def _thaw_some() -> int:
    due = _due_in_hours()
    return len(run(_THAW, {**_batch(BATCH), "counted": list(due), "due": list(due.values())}))


def _due_in_hours() -> dict[UUID, datetime]:
    """When the time to decide is over now of those that count open hours: closed ones took none of it, stop or not."""
    rows = run(_TO_COUNT, {"limit": BATCH})
    calendars = BusinessCalendar.objects.in_bulk({row[1] for row in rows}) if rows else {}
    found = {}
    for pk, calendar_id, since, decide_by, now in rows:
        hours = calendars[calendar_id].hours
        found[pk] = after(now, between(since, decide_by, hours).total_seconds(), hours)
    return found


def _batch(size: int) -> dict[str, object]:
    return {"limit": size, "ids": new_id_array(size)}
