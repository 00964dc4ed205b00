"""The two clocks of a request stand still while a stop covers it: time to decide, and time to use.

`freeze` remembers since when, `thaw` moves the deadlines by the time that passed. Both are safe to repeat, and the
sweep repeats them: whatever a race left out is caught up exactly, because the moment comes from the stop's own row.
"""

from collections.abc import Iterable
from uuid import UUID

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
_THAW = f"""
WITH reach AS MATERIALIZED (SELECT * FROM approvals_stop_reach),
picked AS MATERIALIZED (
  SELECT r.id, r.frozen_at, clock_timestamp() - r.frozen_at AS stood FROM approvals_approvalrequest AS r
  WHERE {_LIVE} AND r.frozen_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM reach AS s WHERE {COVERS.format(row="r")})
  ORDER BY r.id LIMIT %(limit)s FOR NO KEY UPDATE OF r
), moved AS (
  UPDATE approvals_approvalrequest AS r SET frozen_at = NULL, use_by = r.use_by + picked.stood,
    stood = CASE WHEN r.status IN ('pending', 'sent_back') THEN r.stood + picked.stood ELSE r.stood END,
    decide_by = CASE WHEN r.status IN ('pending', 'sent_back') THEN r.decide_by + picked.stood ELSE r.decide_by END
  FROM picked WHERE r.id = picked.id AND r.frozen_at = picked.frozen_at RETURNING r.id, r.unit_id, picked.stood
), numbered AS (SELECT *, row_number() OVER ()::int AS n FROM moved)
{_event("thawed", "the stop was lifted: its deadlines move by the time it stood still", _STOOD)}
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
    """Let the clocks of requests run again that no stop covers any more: one statement a batch, until none is left."""
    thawed = 0
    while moved := len(run(_THAW, _batch(BATCH))):
        thawed += moved
    return thawed


def _batch(size: int) -> dict[str, object]:
    return {"limit": size, "ids": new_id_array(size)}
