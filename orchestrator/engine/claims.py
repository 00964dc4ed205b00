"""Leases: the statements that take, start, renew and hand back a step. All of them on the database's clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from audit import failpoints
from audit.actors import system
from audit.ids import new_id_array
from audit.lifecycle import move_picked, run
from orchestrator.statuses import EXECUTION, STEP, ExecutionStatus, StepStatus

ENGINE = system("engine")
WAKE_CHANNEL = "holdpoint_steps"
# After the id stands what the model's defaults say.
NEW_ATTEMPT_COLUMNS = (
    "id, status, failure_class, message, evidence, step_id, execution_id, unit_id, number, worker, lease_expires_at"
)


def _woken(before: str) -> str:
    """An execution whose step is claimed is running. It was locked with its step, and seen as it was then: looked up by its
    status, every claim would walk through all that are queued."""
    return move_picked(
        name=f"was_{before}",
        lifecycle=EXECUTION,
        table="orchestrator_execution",
        before=before,
        to=ExecutionStatus.RUNNING,
        pick=f"SELECT DISTINCT execution_id AS id FROM moved WHERE execution_status = '{before}'",
        set_sql="started_at = COALESCE(t.started_at, clock_timestamp())",
        returning="t.id, t.unit_id",
    )


_DUE = "s.status = 'pending' AND s.due_at <= clock_timestamp()"
_OWNED = "orchestrator_step AS s JOIN orchestrator_execution AS e ON e.id = s.execution_id"
_LOCKED = "FOR NO KEY UPDATE OF s, e SKIP LOCKED"
_OLDEST_FIRST = f"""
SELECT s.id, e.status AS execution_status FROM {_OWNED} WHERE {_DUE} {{only}} ORDER BY s.due_at LIMIT %(limit)s {_LOCKED}"""
# The due units one by one, each by one look into the index; of each its oldest steps, more than are wanted because
# another host may hold some this instant. The turn of a step counts what its unit has running already.
# A unit's steps are asked for as a range, and each is looked at by its id, so that however much is due the planner has one
# way only: an index from its beginning. As a plain join it reads all that is due, and every execution there is.
_IN_TURN = f"""
WITH RECURSIVE due (unit_id) AS (
  (SELECT s.unit_id FROM orchestrator_step AS s WHERE {_DUE} ORDER BY s.unit_id LIMIT 1)
  UNION ALL
  SELECT (SELECT s.unit_id FROM orchestrator_step AS s WHERE {_DUE} AND s.unit_id > due.unit_id
          ORDER BY s.unit_id LIMIT 1) FROM due WHERE due.unit_id IS NOT NULL
), busy AS (
  SELECT unit_id, count(*) AS running FROM orchestrator_attempt WHERE status = 'running' GROUP BY unit_id
), turns AS (
  SELECT of_unit.id FROM due LEFT JOIN busy USING (unit_id) CROSS JOIN LATERAL (
    SELECT s.id, s.due_at, row_number() OVER (ORDER BY s.unit_id, s.due_at) AS place FROM orchestrator_step AS s
    WHERE {_DUE} AND s.unit_id BETWEEN due.unit_id AND due.unit_id ORDER BY s.unit_id, s.due_at LIMIT 2 * %(limit)s
  ) AS of_unit WHERE due.unit_id IS NOT NULL ORDER BY of_unit.place + COALESCE(busy.running, 0), of_unit.due_at
)
SELECT free.id, free.execution_status FROM turns CROSS JOIN LATERAL (
  SELECT s.id, e.status AS execution_status FROM {_OWNED} WHERE s.id = turns.id AND {_DUE} {_LOCKED}
) AS free LIMIT %(limit)s"""


def _claim_text(*, pick: str = _OLDEST_FIRST, only: str = "", also: str = "") -> str:
    """Pick due steps nobody works on, move them, count the attempt, take the lease and write the audit: one statement.

    The execution is locked together with the step, and both only where free: a claim never waits for anybody.
    """
    claimed = move_picked(
        lifecycle=STEP,
        table="orchestrator_step",
        before=StepStatus.PENDING,
        to=StepStatus.IN_PROGRESS,
        pick=f"SELECT d.id, d.execution_status, (row_number() OVER ())::int AS n FROM ({pick.format(only=only)}) AS d",
        set_sql="attempt_id = (%(fences)s::uuid[])[p.n], attempt_count = t.attempt_count + 1, tries = t.tries + 1, "
        "due_at = NULL, started_at = COALESCE(t.started_at, clock_timestamp())",
        returning="t.id, t.execution_id, t.unit_id, t.attempt_id, t.attempt_count, p.n, p.execution_status",
    )
    return (
        f"WITH {claimed}, {_woken('queued')}, {_woken('waiting')}, "
        f"attempts AS (INSERT INTO orchestrator_attempt ({NEW_ATTEMPT_COLUMNS}) "
        "SELECT attempt_id, 'running', '', '', '{}', id, execution_id, unit_id, attempt_count, %(worker)s, "
        "clock_timestamp() + make_interval(secs => %(lease)s) FROM moved) "
        "SELECT m.id, m.attempt_id, m.execution_id, audit_append('execution:' || m.execution_id, jsonb_build_array("
        "audit_moved((%(event_ids)s::text[])[m.n], 'step', m.id, m.unit_id, 'pending', 'in_progress', 'engine', "
        'format(\'{"attempt":"%%s","number":%%s}\', m.attempt_id, m.attempt_count)))'
        f" || {_woken_event('queued')} || {_woken_event('waiting')}){also} "
        "FROM (SELECT *, row_number() OVER (PARTITION BY execution_id) = 1 AS first FROM moved ORDER BY n) AS m"
    )


def _woken_event(before: str) -> str:
    """The event beside `_woken`, written once per execution: with the first of its steps in this claim."""
    return (
        f"COALESCE((SELECT jsonb_build_array(audit_moved((%(more_ids)s::text[])[m.n], 'execution', was_{before}.id, "
        f"was_{before}.unit_id, '{before}', 'running', 'engine', '')) FROM was_{before} "
        f"WHERE was_{before}.id = m.execution_id AND m.first), '[]'::jsonb)"
    )


# Nobody waits for the disk here. A crash of the database may forget a claim, and then its step is simply due again: what
# was redeemed or settled under it waited for the disk, and for everything written before it.
_NO_WAIT = ", set_config('synchronous_commit', 'off', true)"
_CLAIM_ANY = _claim_text(also=_NO_WAIT)
_CLAIM_IN_TURN = _claim_text(pick=_IN_TURN, also=_NO_WAIT)
_CLAIM_OF_EXECUTION = _claim_text(only="AND s.execution_id = %(execution_id)s")


@dataclass(frozen=True, slots=True)
class Claim:
    """A step under lease. `fence` is the attempt's id: every later write names it."""

    step_id: UUID
    fence: UUID
    execution_id: UUID


def claim_due(*, limit: int, worker: str) -> list[Claim]:
    """Take up to `limit` due steps, oldest first: for a host that takes whatever there is."""
    return _claim(_CLAIM_ANY, limit=limit, worker=worker)


def claim_in_turn(*, limit: int, worker: str) -> list[Claim]:
    """The same where more is due than is taken: the units take turns, so a flood in one does not starve another.

    The unit with the least running comes first; within a unit the oldest.
    """
    return _claim(_CLAIM_IN_TURN, limit=limit, worker=worker)


def claim_of(execution_id: UUID, *, worker: str) -> Claim | None:
    """The oldest due step of this execution, if there is one."""
    return next(iter(_claim(_CLAIM_OF_EXECUTION, limit=1, worker=worker, execution_id=execution_id)), None)


def _claim(text: str, *, limit: int, worker: str, execution_id: UUID | None = None) -> list[Claim]:
    failpoints.hit("claim.before")
    rows = run(
        text,
        {
            "limit": limit,
            "worker": worker,
            "lease": settings.LEASE_SECONDS,
            "execution_id": execution_id,
            "fences": new_id_array(limit),
            "event_ids": new_id_array(limit),
            "more_ids": new_id_array(limit),
        },
    )
    failpoints.hit("claim.committed")
    return [Claim(step_id=row[0], fence=row[1], execution_id=row[2]) for row in rows]


def held_by(worker: str) -> int:
    """How many claims this host holds, begun or not."""
    found: int = run("SELECT count(*) FROM orchestrator_attempt WHERE status = 'running' AND worker = %s", [worker])[0][
        0
    ]
    return found


def renew(fences: Iterable[UUID]) -> int:
    """Heartbeat: push these leases out. How many of the attempts are still ours."""
    failpoints.hit("renew.before")
    renewed = run(
        "UPDATE orchestrator_attempt SET heartbeat_at = clock_timestamp(), "
        "lease_expires_at = clock_timestamp() + make_interval(secs => %s) "
        "WHERE id = ANY (%s) AND status = 'running' RETURNING 1",
        [settings.LEASE_SECONDS, sorted(fences)],
    )
    failpoints.hit("renew.committed")
    return len(renewed)
