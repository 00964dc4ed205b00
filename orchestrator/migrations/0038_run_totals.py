"""What each execution has cost, as a sum of its own: so that the dearest ones are found without reading the ledger.

Nothing is filled in here: where there are executions already, readers add the ledger up themselves, as before, until
`rebuild_rollups` has run.
"""

from django.db import migrations, models

# What a line changes. The second half: what was unknown is known from its first correction on. First means first written, as of
# the roll-ups of costs.
CHANGES = """
CREATE VIEW orchestrator_runchange AS
SELECT line.written_in, line.execution_id, line.unit_id, line.currency, (run.created_at AT TIME ZONE 'UTC')::date AS day,
  coalesce(run.unit_id <> line.unit_id, false) AS shared, line.amount AS cost, (line.kind <> 'correction')::int AS calls, (line.amount IS NULL)::int AS missing, line.input_tokens,
  line.output_tokens
FROM budgets_ledgerentry AS line LEFT JOIN orchestrator_execution AS run ON run.id = line.execution_id
UNION ALL
SELECT change.written_in, line.execution_id, line.unit_id, line.currency, NULL, false, NULL, 0, -1, 0, 0
FROM budgets_ledgerentry AS change JOIN budgets_ledgerentry AS line ON line.id = change.corrects_id
WHERE line.amount IS NULL AND NOT EXISTS (
  SELECT FROM budgets_ledgerentry AS earlier
  WHERE earlier.corrects_id = line.id AND (earlier.written_in, earlier.id) < (change.written_in, change.id))
"""
# Planned with the mark at hand, as orchestrator_costunfolded is.
SINCE = """
CREATE FUNCTION orchestrator_runssince() RETURNS SETOF orchestrator_runchange LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY EXECUTE 'SELECT * FROM orchestrator_runchange WHERE written_in >= $1'
    USING coalesce((SELECT totals_before FROM orchestrator_costfold), 0)::text::xid8;
END $$
"""
# The dearest executions, whole, as far as these units paid for them; what was paid for none is one of them. Whatever has changed
# since the mark, and what several units paid for, is added up here; of the rest each unit's dearest are found in order.
DEAREST = """
CREATE FUNCTION orchestrator_dearestruns(units uuid[], most integer) RETURNS TABLE (
  execution_id uuid, currency text, cost numeric, calls bigint, missing bigint, input_tokens bigint, output_tokens bigint)
LANGUAGE sql STABLE AS $$
WITH changes AS MATERIALIZED (
  SELECT c.* FROM orchestrator_runssince() AS c WHERE c.unit_id = ANY(units)
), apart AS MATERIALIZED (
  SELECT c.execution_id FROM changes AS c WHERE c.execution_id IS NOT NULL
  UNION SELECT t.execution_id FROM orchestrator_runtotal AS t WHERE t.shared
), parts AS (
  SELECT c.execution_id, c.currency, c.cost, c.calls, c.missing, c.input_tokens, c.output_tokens FROM changes AS c
  UNION ALL
  SELECT t.execution_id, t.currency, t.cost, t.calls, t.missing, t.input_tokens, t.output_tokens
  FROM apart JOIN orchestrator_runtotal AS t ON t.execution_id = apart.execution_id WHERE t.unit_id = ANY(units)
  UNION ALL
  SELECT t.execution_id, t.currency, t.cost, t.calls, t.missing, t.input_tokens, t.output_tokens
  FROM orchestrator_runtotal AS t WHERE t.execution_id IS NULL AND t.unit_id = ANY(units)
), found AS (
  SELECT p.execution_id, p.currency, sum(p.cost), sum(p.calls)::bigint, sum(p.missing)::bigint, sum(p.input_tokens)::bigint,
    sum(p.output_tokens)::bigint
  FROM parts AS p GROUP BY p.execution_id, p.currency
  UNION ALL
  SELECT one.* FROM unnest(units) AS u (id), LATERAL (
    SELECT t.execution_id, t.currency, t.cost, t.calls, t.missing, t.input_tokens, t.output_tokens
    FROM orchestrator_runtotal AS t
    WHERE t.unit_id = u.id AND t.execution_id IS NOT NULL AND t.execution_id NOT IN (SELECT a.execution_id FROM apart AS a)
    ORDER BY t.cost DESC NULLS LAST, t.execution_id LIMIT most) AS one
)
SELECT * FROM found ORDER BY 3 DESC NULLS LAST, 1 LIMIT most
$$
"""
# Traces that cannot be told by one total: something is below what began them, several units paid, or something changed since the
# mark. Whether each costs so much in one currency, of what these units may see.
APART = """
CREATE FUNCTION orchestrator_tracesapart(at_least numeric, units uuid[]) RETURNS TABLE (root_id uuid, reaches boolean)
LANGUAGE sql STABLE AS $$
WITH changes AS MATERIALIZED (
  SELECT c.execution_id, c.currency, sum(c.cost) AS cost FROM orchestrator_runssince() AS c
  WHERE c.execution_id IS NOT NULL GROUP BY c.execution_id, c.currency
), apart AS MATERIALIZED (
  SELECT r.root_id FROM changes AS c JOIN orchestrator_execution AS r ON r.id = c.execution_id
  UNION SELECT r.root_id FROM orchestrator_runtotal AS t JOIN orchestrator_execution AS r ON r.id = t.execution_id WHERE t.shared
  UNION SELECT r.root_id FROM orchestrator_execution AS r
    WHERE r.parent_id IS NOT NULL AND EXISTS (SELECT FROM orchestrator_runtotal AS t WHERE t.execution_id = r.id)
), parts AS MATERIALIZED (
  SELECT a.root_id, r.id FROM apart AS a JOIN orchestrator_execution AS r ON r.id = a.root_id WHERE r.unit_id = ANY(units)
  UNION
  SELECT a.root_id, r.id FROM apart AS a JOIN orchestrator_execution AS began ON began.id = a.root_id
    JOIN orchestrator_execution AS r ON r.trace_id = began.trace_id AND r.root_id = began.root_id AND r.trace_id <> r.id
  WHERE r.unit_id = ANY(units)
), sums AS (
  SELECT s.root_id FROM (
    SELECT p.root_id, t.currency, t.cost FROM parts AS p JOIN orchestrator_runtotal AS t ON t.execution_id = p.id
    UNION ALL
    SELECT p.root_id, c.currency, c.cost FROM parts AS p JOIN changes AS c ON c.execution_id = p.id) AS s
  GROUP BY s.root_id, s.currency HAVING sum(s.cost) >= at_least
)
SELECT a.root_id, a.root_id IN (SELECT s.root_id FROM sums AS s) FROM apart AS a
$$
"""
# Where nothing ever ran there is nothing to fill in: what is written from now on is followed.
FOLLOW_IF_EMPTY = """
UPDATE orchestrator_costfold SET totals_before = pg_snapshot_xmin(pg_current_snapshot())::text::bigint
WHERE NOT EXISTS (SELECT FROM orchestrator_execution) AND NOT EXISTS (SELECT FROM budgets_ledgerentry)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("budgets", "0007_ledger_written_in"),
        ("orchestrator", "0037_denials"),
    ]

    operations = [
        migrations.AddField("costfold", "totals_before", models.BigIntegerField(default=0, db_default=0)),
        migrations.CreateModel(
            name="RunTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("execution_id", models.UUIDField(null=True)),
                ("unit_id", models.UUIDField()),
                ("currency", models.TextField()),
                ("day", models.DateField(null=True)),
                ("shared", models.BooleanField()),
                ("cost", models.DecimalField(decimal_places=10, max_digits=30, null=True)),
                ("calls", models.BigIntegerField()),
                ("missing", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["day", "cost"], name="run_total_cost"),
                    models.Index(
                        models.F("unit_id"),
                        models.OrderBy(models.F("cost"), descending=True, nulls_last=True),
                        models.F("execution_id"),
                        name="run_total_dearest",
                    ),
                    models.Index(condition=models.Q(("shared", True)), fields=["execution_id"], name="run_total_shared"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("execution_id", "unit_id", "currency"),
                        name="one_total_per_execution_unit_and_currency",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.RunSQL(CHANGES, "DROP VIEW orchestrator_runchange"),
        migrations.RunSQL(SINCE, "DROP FUNCTION orchestrator_runssince()"),
        migrations.RunSQL(DEAREST, "DROP FUNCTION orchestrator_dearestruns(uuid[], integer)"),
        migrations.RunSQL(APART, "DROP FUNCTION orchestrator_tracesapart(numeric, uuid[])"),
        migrations.RunSQL(FOLLOW_IF_EMPTY, migrations.RunSQL.noop),
    ]  # fmt: skip
