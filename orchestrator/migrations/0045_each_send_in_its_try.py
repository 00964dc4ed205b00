"""A call that is sent again is the same call, and each of its sends has a line: of a try is what was written in that try.

What the last send cost, the one that succeeded, was counted among the tries repeated, because the call was first proposed in
one of them. Sums that are kept are as they were until the execution changes, or `manage.py rebuild_rollups` has run.
"""

from django.db import migrations

RUN_COSTS = """
CREATE OR REPLACE FUNCTION orchestrator_runcosts(ids uuid[]) RETURNS SETOF orchestrator_runcost LANGUAGE sql STABLE AS $$
WITH runs AS MATERIALIZED (
  SELECT e.id, e.unit_id, (e.created_at AT TIME ZONE 'UTC')::date AS day, e.workflow, CASE
    WHEN e.status = 'succeeded' THEN 'succeeded'
    WHEN e.status = 'cancelled' THEN 'turned_down'
    WHEN e.status NOT IN ('failed', 'timed_out', 'dead_lettered') THEN 'under_way'
    WHEN EXISTS (SELECT FROM orchestrator_action AS a WHERE a.execution_id = e.id AND a.status = 'rejected') THEN 'turned_down'
    ELSE 'failed' END AS outcome
  FROM unnest(ids) AS asked (id) JOIN orchestrator_execution AS e ON e.id = asked.id
), tries AS (
  SELECT s.execution_id, s.id AS step_id, s.spec->>'agent' AS agent, t.status, t.claimed_at,
    lead(t.claimed_at) OVER (PARTITION BY s.id ORDER BY t.number) AS next_at
  FROM runs JOIN orchestrator_step AS s ON s.execution_id = runs.id JOIN orchestrator_attempt AS t ON t.step_id = s.id
  WHERE s.attempt_count > 1
), repeated AS MATERIALIZED (
  SELECT * FROM tries WHERE status IN ('failed', 'lost') AND next_at IS NOT NULL
), lines AS (
  SELECT runs.id AS run, runs.outcome, l.id, l.currency, l.amount, l.basis, l.agent, l.action_id,
    CASE WHEN l.corrects_id IS NULL THEN l.kind
      ELSE (SELECT first.kind FROM budgets_ledgerentry AS first WHERE first.id = l.corrects_id) END AS kind,
    CASE WHEN l.corrects_id IS NULL THEN l.at
      ELSE (SELECT first.at FROM budgets_ledgerentry AS first WHERE first.id = l.corrects_id) END AS at
  FROM runs JOIN budgets_ledgerentry AS l ON l.execution_id = runs.id
), parts AS (
  SELECT id AS run, outcome AS bucket, '' AS currency, 1 AS executions, 0::numeric AS amount, 0 AS unknown FROM runs
  UNION ALL
  SELECT run, CASE
    WHEN kind = 'review' THEN 'review'
    WHEN EXISTS (
      SELECT FROM repeated AS r LEFT JOIN orchestrator_action AS a ON a.id = lines.action_id
      WHERE r.execution_id = lines.run AND {written} >= r.claimed_at
        AND {written} < r.next_at
        AND CASE WHEN a.id IS NULL THEN r.agent = lines.agent ELSE r.step_id = a.step_id END) THEN 'repeated'
    ELSE outcome END, currency, 0, coalesce(amount, 0), CASE WHEN basis <> 'unknown' THEN 0
      WHEN EXISTS (SELECT FROM budgets_ledgerentry AS fix WHERE fix.corrects_id = lines.id) THEN 0 ELSE 1 END
  FROM lines
)
SELECT runs.id, runs.unit_id, runs.day, runs.workflow, parts.bucket, parts.currency, sum(parts.executions),
  sum(parts.amount), sum(parts.unknown)
FROM parts JOIN runs ON runs.id = parts.run
GROUP BY runs.id, runs.unit_id, runs.day, runs.workflow, parts.bucket, parts.currency
$$
"""
NOW, BEFORE = (RUN_COSTS.replace("{written}", moment) for moment in ("lines.at", "coalesce(a.created_at, lines.at)"))


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0044_never_emptied")]
    operations = [migrations.RunSQL(NOW, BEFORE)]
