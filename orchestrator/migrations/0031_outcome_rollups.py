"""What each execution cost by what became of it, and the sums of that: so that cost per success does not read the ledger.

The functions are the one definition, for the sweep, which keeps sums, and for pages, which add what the sweep has not seen.
Nothing is filled in here: a system that has executions already reads the ledger, as before, until `rebuild_rollups` has run.
"""

from django.db import migrations, models

# A try that failed or was lost and was made again: from its claim to the next one, what its agent or its calls cost was for
# nothing. A parked try is not repeated, it goes on. What a correction corrects is looked up line by line: few lines have one.
RUN_COSTS = """
CREATE FUNCTION orchestrator_runcosts(ids uuid[]) RETURNS SETOF orchestrator_runcost LANGUAGE sql STABLE AS $$
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
      WHERE r.execution_id = lines.run AND coalesce(a.created_at, lines.at) >= r.claimed_at
        AND coalesce(a.created_at, lines.at) < r.next_at
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
# Whatever changes an execution's costs is a line of the ledger, or an event in the execution's stream. Planned with the values
# at hand, as orchestrator_costunfolded is.
TOUCHED = """
CREATE FUNCTION orchestrator_runstouched(since bigint, until bigint) RETURNS SETOF uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY EXECUTE 'SELECT substr(stream, 11)::uuid FROM audit_auditevent
    WHERE written_in >= $1 AND written_in < $2 AND stream LIKE ''execution:%'' UNION
    SELECT execution_id FROM budgets_ledgerentry
    WHERE written_in >= $1::text::xid8 AND written_in < $2::text::xid8 AND execution_id IS NOT NULL' USING since, until;
END $$
"""
UNFOLDED = """
CREATE FUNCTION orchestrator_outcomesunfolded(units uuid[], first_day date, last_day date)
RETURNS SETOF orchestrator_outcomerollup LANGUAGE plpgsql STABLE AS $$
DECLARE
  mark bigint := coalesce((SELECT runs_before FROM orchestrator_costfold), 0);
  since timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
  until timestamptz := (last_day + 1)::timestamp AT TIME ZONE 'UTC';
  ids uuid[];
BEGIN
  IF mark = 0 THEN
    ids := ARRAY(SELECT e.id FROM orchestrator_execution AS e
      WHERE e.unit_id = ANY(units) AND e.created_at >= since AND e.created_at < until);
  ELSE
    ids := ARRAY(SELECT e.id FROM orchestrator_runstouched(mark, 9223372036854775807) AS touched (id)
      JOIN orchestrator_execution AS e ON e.id = touched.id
      WHERE e.unit_id = ANY(units) AND e.created_at >= since AND e.created_at < until);
  END IF;
  RETURN QUERY SELECT r.unit_id, r.day, r.workflow, r.bucket, r.currency, r.executions, r.amount, r.unknown
    FROM orchestrator_runcosts(ids) AS r
    UNION ALL SELECT k.unit_id, k.day, k.workflow, k.bucket, k.currency, -k.executions, (-k.amount)::numeric(30,10), -k.unknown
    FROM orchestrator_runcost AS k WHERE k.execution_id = ANY(ids);
END $$
"""
# Where nothing ever ran there is nothing to fill in: what begins from now on is followed.
FOLLOW_IF_EMPTY = """
UPDATE orchestrator_costfold SET runs_before = pg_snapshot_xmin(pg_current_snapshot())::text::bigint
WHERE NOT EXISTS (SELECT FROM orchestrator_execution)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0004_event_written_in"),
        ("budgets", "0007_ledger_written_in"),
        ("orchestrator", "0030_service_levels"),
    ]

    operations = [
        migrations.AddField("costfold", "runs_before", models.BigIntegerField(default=0, db_default=0)),
        migrations.CreateModel(
            name="RunCost",
            fields=[
                ("pk", models.CompositePrimaryKey("execution_id", "bucket", "currency", blank=True, editable=False, primary_key=True, serialize=False)),
                ("execution_id", models.UUIDField()),
                ("unit_id", models.UUIDField()),
                ("day", models.DateField()),
                ("workflow", models.TextField()),
                ("bucket", models.TextField()),
                ("currency", models.TextField()),
                ("executions", models.BigIntegerField()),
                ("amount", models.DecimalField(decimal_places=10, max_digits=30)),
                ("unknown", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="OutcomeRollup",
            fields=[
                ("pk", models.CompositePrimaryKey("unit_id", "day", "workflow", "bucket", "currency", blank=True, editable=False, primary_key=True, serialize=False)),
                ("unit_id", models.UUIDField()),
                ("day", models.DateField()),
                ("workflow", models.TextField()),
                ("bucket", models.TextField()),
                ("currency", models.TextField()),
                ("executions", models.BigIntegerField()),
                ("amount", models.DecimalField(decimal_places=10, max_digits=30)),
                ("unknown", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL(RUN_COSTS, "DROP FUNCTION orchestrator_runcosts(uuid[])"),
        migrations.RunSQL(TOUCHED, "DROP FUNCTION orchestrator_runstouched(bigint, bigint)"),
        migrations.RunSQL(UNFOLDED, "DROP FUNCTION orchestrator_outcomesunfolded(uuid[], date, date)"),
        migrations.RunSQL(FOLLOW_IF_EMPTY, migrations.RunSQL.noop),
    ]  # fmt: skip
