"""Many executions like one, spread over the past: what a release did day by day. One that the system's own verbs made is copied
inside the database, without its guards, because walking thousands of executions takes an hour."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection, transaction

from orchestrator.models import Execution

_EXECUTIONS = """
INSERT INTO orchestrator_execution SELECT (jsonb_populate_record(row, jsonb_build_object('id', n.id, 'trace_id', n.id,
  'root_id', n.id, 'status', COALESCE(%(status)s::text, row.status), 'created_at', n.at,
  'started_at', n.at, 'finished_at', n.at + n.took))).*
FROM orchestrator_execution AS row, new_runs AS n WHERE row.id = %(of)s
"""
_STEPS = """
INSERT INTO orchestrator_step SELECT (jsonb_populate_record(row, jsonb_build_object('id', md5(row.id::text || n.id)::uuid,
  'execution_id', n.id, 'attempt_id', NULL) || CASE WHEN row.status = 'success' AND n.hollow
  THEN jsonb_build_object('output', '{}'::jsonb) ELSE '{}' END)).*
FROM orchestrator_step AS row, new_runs AS n WHERE row.execution_id = %(of)s
"""
_ATTEMPTS = """
INSERT INTO orchestrator_attempt SELECT (jsonb_populate_record(row, jsonb_build_object('id', md5(row.id::text || n.id)::uuid,
  'step_id', md5(row.step_id::text || n.id)::uuid, 'execution_id', n.id, 'claimed_at', n.at, 'started_at', n.at,
  'finished_at', n.at + n.took / 2))).*
FROM orchestrator_attempt AS row, new_runs AS n WHERE row.execution_id = %(of)s
"""
_ACTIONS = """
INSERT INTO orchestrator_action SELECT (jsonb_populate_record(row, jsonb_build_object('id', md5(row.id::text || n.id)::uuid,
  'step_id', md5(row.step_id::text || n.id)::uuid, 'execution_id', n.id, 'created_at', n.at,
  'idempotency_key', md5(row.id::text || n.id)))).*
FROM orchestrator_action AS row, new_runs AS n WHERE row.execution_id = %(of)s
"""
_PAID = """
INSERT INTO budgets_ledgerentry (id, unit_id, execution_id, agent, tool, model, amount, currency, basis, input_tokens,
  output_tokens)
SELECT md5('line' || n.id)::uuid, row.unit_id, n.id, 'poster', '', '', n.cost, 'USD', 'reported', n.tokens, 0
FROM orchestrator_execution AS row, new_runs AS n WHERE row.id = %(of)s AND n.cost IS NOT NULL
"""
_TABLES = ("orchestrator_execution", "orchestrator_step", "orchestrator_attempt", "orchestrator_action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One copy: how many hours ago, how long it took, what it cost, how many tokens, whether its outputs say nothing."""

    hours: float
    seconds: float = 4.0
    cost: float | None = None
    tokens: int = 0
    hollow: bool = False


def copy(execution: Execution, runs: Iterable[Run], *, ended: str | None = None) -> None:
    """Put these copies into the past; `ended` says how they ended where the one that is copied has not."""
    rows = [(run.hours, run.seconds, run.cost, run.tokens, run.hollow) for run in runs]
    if not rows:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "CREATE TEMP TABLE new_runs AS SELECT gen_random_uuid() AS id, clock_timestamp() - hours * interval '1 hour' AS at, "
            "seconds * interval '1 second' AS took, cost, tokens, hollow FROM unnest(%s::float[], %s::float[], %s::numeric[], "
            "%s::int[], %s::bool[]) AS t (hours, seconds, cost, tokens, hollow)",
            [list(column) for column in zip(*rows, strict=True)],
        )
        for table, text in zip(_TABLES, (_EXECUTIONS, _STEPS, _ATTEMPTS, _ACTIONS), strict=True):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(text, {"of": execution.pk, "status": ended})
        cursor.execute(_PAID, {"of": execution.pk})
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in _TABLES:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        cursor.execute("DROP TABLE new_runs")
        # What autovacuum does within a minute: without it the planner takes thousands of rows for none.
        cursor.execute(f"ANALYZE {', '.join(_TABLES)}, budgets_ledgerentry")


def at_random(dice: random.Random, *, since: float, until: float, number: int) -> list[float]:
    """So many moments, in hours ago."""
    return [dice.uniform(until, since) for _ in range(number)]
