"""What is measured: each figure one small statement, all of them in one round trip, and never for longer than two seconds.

A figure that cannot be read is missing, with the reason; the others are read all the same. Nothing is judged here.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connection, transaction

from audit.lifecycle import run

ALL_WITHIN_SECONDS = 1.0
EACH_WITHIN_SECONDS = 0.3
TOGETHER_SECONDS = 2.0
# However many administrators draft.
MOST_BUDGETS = 1_000
CHAIN_STREAM, BACKUP_STREAM = "health:audit_chain", "health:backup"

_AGE = "EXTRACT(EPOCH FROM clock_timestamp() - {})::float8"


def _of_units(facts: str, rows: str) -> str:
    """Facts per unit, as one JSON object."""
    return f"SELECT COALESCE(jsonb_object_agg(unit_id, {facts}), '{{}}'::jsonb) FROM ({rows}) AS found"


def _last(stream: str) -> str:
    """The last event of a stream, or nothing."""
    return (
        f"SELECT jsonb_build_object('value', {_AGE.format('at')}, 'event', event, 'why', why) "
        f"FROM audit_auditevent WHERE stream = '{stream}' ORDER BY seq DESC LIMIT 1"
    )


def _outbox(target: str, unspread: str = "") -> str:
    """How long the oldest message is late: since it was first due, so the pauses of its tries (deliver.py) are counted in."""
    pauses = "15 * (2 ^ LEAST(d.tries, 8) - 1) + 3600 * GREATEST(d.tries - 8, 0)"
    first_due = f"d.due_at - make_interval(secs => CASE WHEN d.tries > 0 THEN {pauses} ELSE 0 END)"
    return (
        f"SELECT jsonb_build_object('value', GREATEST(0, COALESCE(max(late), 0)), 'waiting', count(*), "
        f"'failing', count(*) FILTER (WHERE tries > 0)) FROM (SELECT {_AGE.format(f'({first_due})')} AS late, d.tries "
        f"FROM approvals_delivery AS d WHERE d.sent_at IS NULL AND d.dropped_at IS NULL AND d.{target} IS NOT NULL "
        f"{unspread}) AS found WHERE late > 0"
    )


_UNSPREAD = f"UNION ALL SELECT {_AGE.format('n.created_at')}, 0 FROM approvals_notice AS n WHERE n.spread_at IS NULL"

# Figure to statement. The first four are told apart by unit.
STATEMENTS = {
    "queue_age": _of_units(
        "jsonb_build_object('value', age, 'due', due)",
        f"SELECT unit_id, {_AGE.format('min(due_at)')} AS age, count(*) AS due FROM orchestrator_step "
        "WHERE status = 'pending' AND due_at <= clock_timestamp() GROUP BY unit_id",
    ),
    "leases": _of_units(
        "jsonb_build_object('value', GREATEST(0, past), 'past', lapsed, 'oldest', oldest, 'running', running)",
        f"SELECT unit_id, {_AGE.format('min(lease_expires_at)')} AS past, {_AGE.format('min(claimed_at)')} AS oldest, "
        "count(*) FILTER (WHERE lease_expires_at <= clock_timestamp()) AS lapsed, count(*) AS running "
        "FROM orchestrator_attempt WHERE status = 'running' GROUP BY unit_id",
    ),
    "dead_letters": _of_units(
        "jsonb_build_object('value', fresh)",
        "SELECT u.id AS unit_id, l.fresh FROM budgets_businessunit AS u CROSS JOIN LATERAL (SELECT count(*) AS fresh "
        "FROM orchestrator_deadletter WHERE unit_id = u.id AND status = 'open' "
        "AND last_at > clock_timestamp() - interval '10 minutes') AS l WHERE l.fresh > 0",
    ),
    "approvals": _of_units(
        "jsonb_build_object('value', age, 'waiting', waiting, 'overdue', overdue)",
        f"SELECT unit_id, {_AGE.format('min(created_at)')} AS age, count(*) AS waiting, "
        "count(*) FILTER (WHERE decide_by <= clock_timestamp()) AS overdue FROM approvals_approvalrequest "
        "WHERE status = 'pending' AND frozen_at IS NULL GROUP BY unit_id",
    ),
    "hosts": (
        "SELECT COALESCE(jsonb_agg(to_jsonb(w) || jsonb_build_object("
        f"'beat_age', {_AGE.format('w.beat_at')}, 'swept_age', {_AGE.format('w.swept_at')}) "
        "ORDER BY w.host, w.started_at), '[]'::jsonb) FROM orchestrator_workerhost AS w WHERE w.ended_at IS NULL"
    ),
    "notices": _outbox("person_id", _UNSPREAD),
    "webhooks": _outbox("endpoint_id"),
    # Nothing where it is switched off: then nothing is behind.
    "trace_export": (
        f"SELECT COALESCE((SELECT jsonb_build_object('value', GREATEST(0, {_AGE.format('caught_up_at')}), 'failures', failures, "
        "'sent', sent, 'aside', (SELECT COALESCE(sum(spans), 0) FROM orchestrator_tracesetaside), 'refused', "
        "(SELECT status FROM orchestrator_tracesetaside ORDER BY at DESC LIMIT 1)) FROM orchestrator_traceexport), '{}'::jsonb)"
    ),
    "size": "SELECT jsonb_build_object('size', pg_database_size(current_database()), "
    "'replicas', (SELECT count(*) FROM pg_stat_replication))",
    "connections": (
        "SELECT jsonb_build_object('value', 100.0 * count(*) / current_setting('max_connections')::int, 'used', count(*), "
        "'most', current_setting('max_connections')::int) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    ),
    "transaction": (
        f"SELECT jsonb_build_object('value', GREATEST(0, COALESCE({_AGE.format('min(xact_start)')}, 0))) "
        "FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()"
    ),
    "audit_chain": _last(CHAIN_STREAM),
    "backup": _last(BACKUP_STREAM),
}
OF_UNITS = frozenset({"queue_age", "leases", "dead_letters", "approvals"})
ALL = frozenset(STATEMENTS)
# An attempt's id tells when it was made: the last five minutes are the end of the index.
_LATELY = (
    "(lpad(to_hex((EXTRACT(EPOCH FROM clock_timestamp() - interval '5 minutes') * 1000)::bigint), 12, '0') "
    "|| repeat('0', 20))::uuid"
)
# What only monitoring asks for: no tile shows it.
STATEMENTS |= {
    "letters": _of_units(
        "states",
        "SELECT unit_id, jsonb_object_agg(status, many) AS states FROM (SELECT unit_id, status, count(*) AS many "
        "FROM orchestrator_deadletter GROUP BY unit_id, status) AS counted GROUP BY unit_id",
    ),
    # Budgets in force with their window of now, those that hold something up and the fullest first; and every unit there is.
    "budgets": (
        "SELECT jsonb_build_object('units', COALESCE((SELECT jsonb_agg(id) FROM budgets_businessunit WHERE status = 'active'), "
        "'[]'::jsonb), 'rows', COALESCE((SELECT jsonb_agg(to_jsonb(f)) FROM (SELECT b.name, b.unit_id, b.\"limit\", "
        "CASE b.measure WHEN 'money' THEN b.currency ELSE b.measure END AS measured_in, COALESCE(w.spent, 0) AS spent, "
        "COALESCE(w.reserved, 0) AS reserved, EXTRACT(EPOCH FROM w.ends_at)::float8 AS ends, "
        "(SELECT count(DISTINCT k.execution_id) FROM budgets_block AS k WHERE k.window_id = w.id) AS blocked "
        "FROM budgets_budget AS b LEFT JOIN LATERAL (SELECT * FROM budgets_budgetwindow AS v WHERE v.budget = b.name "
        "AND v.starts_at <= clock_timestamp() AND (v.ends_at IS NULL OR v.ends_at > clock_timestamp()) "
        "ORDER BY v.starts_at DESC LIMIT 1) AS w ON true WHERE b.status = 'active' "
        f'ORDER BY blocked DESC, (COALESCE(w.spent + w.reserved, 0)) / b."limit" DESC, b.name LIMIT {MOST_BUDGETS}) AS f), '
        "'[]'::jsonb))"
    ),
    "breakers": (
        "SELECT COALESCE(jsonb_object_agg(status, many), '{}'::jsonb) FROM (SELECT b.status, count(*) AS many "
        "FROM orchestrator_breaker AS b JOIN orchestrator_limit AS l ON l.id = b.limit_id AND l.status = 'active' "
        "GROUP BY b.status) AS counted"
    ),
    "attempts": (
        "SELECT jsonb_build_object('outcomes', COALESCE(jsonb_object_agg(status, many), '{}'::jsonb), "
        "'claimed', COALESCE(sum(fresh), 0)) FROM (SELECT status, count(*) AS many, "
        "count(*) FILTER (WHERE claimed_at > clock_timestamp() - interval '1 minute') AS fresh "
        f"FROM orchestrator_attempt WHERE id >= {_LATELY} GROUP BY status) AS counted"
    ),
}


@dataclass(frozen=True, slots=True)
class Readings:
    """What was found, and why the rest was not. `database` is how long the database took to answer, in seconds."""

    found: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)


def read(wanted: frozenset[str] = ALL) -> Readings:
    """Measure. Costs one round trip for the latency and one for everything else, unless something cannot be read."""
    readings = Readings()
    began = time.monotonic()
    _latency(readings)
    names = [name for name in STATEMENTS if name in wanted]
    try:
        columns = ", ".join(f"({STATEMENTS[name]})" for name in names)
        readings.found.update(zip(names, _within(f"SELECT {columns}", ALL_WITHIN_SECONDS), strict=True))
    except Error:
        for name in names:
            _alone(readings, name, until=began + TOGETHER_SECONDS)
    if "database" in readings.found:
        readings.found["database"] |= readings.found.pop("size", None) or {}
    return readings


def _latency(readings: Readings) -> None:
    try:
        connection.ensure_connection()
        began = time.perf_counter()
        run("SELECT 1", [])
        readings.found["database"] = {"value": time.perf_counter() - began}
    except Error as error:
        readings.faults["database"] = f"The database did not answer ({type(error).__name__})."


def _alone(readings: Readings, name: str, *, until: float) -> None:
    if time.monotonic() > until:
        readings.faults[name] = "Could not be read: the database is too slow to be asked for everything."
        return
    try:
        readings.found[name] = _within(STATEMENTS[name], EACH_WITHIN_SECONDS)[0]
    except Error as error:
        # The kind of error only: its text could quote a row.
        state = getattr(error.__cause__, "sqlstate", None)
        slow = f"it took longer than {EACH_WITHIN_SECONDS:g} s"
        readings.faults[name] = f"Could not be read: {slow if state == '57014' else type(error).__name__}."


def _within(statement: str, seconds: float) -> tuple[Any, ...]:
    """The one row of this statement."""
    with given_up_after(seconds):
        rows = run(statement, [])
    return tuple(json.loads(value) if value is not None else None for value in rows[0]) if rows else (None,)


@contextmanager
def given_up_after(seconds: float) -> Iterator[None]:
    """The database ends what is asked in here after so long, also while it waits for a lock. That undoes nothing else."""
    with transaction.atomic():
        run("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"])
        yield
        # Where a transaction was open already, it goes on as it was.
        run(
            "SELECT set_config('statement_timeout', reset_val, true) FROM pg_settings WHERE name = 'statement_timeout'",
            [],
        )
