"""What service levels are counted from, per execution, and its sums: so that a page does not read a million executions.

The functions are the one definition, for the sweep, which keeps facts and sums, and for pages, which add what the sweep has not
seen. Nothing is filled in here: a system that has executions already reads their rows, as before, until `rebuild_rollups` has run.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

import orchestrator.models.level

# Eight to the octave from a millisecond to 99 days, as in OpenTelemetry's exponential histogram of scale 3 (orchestrator/health/tallies.py). How
# many are in a bucket stands in eight digits of its own, so a sum of tallies is a histogram, and takes 99,999,999 executions.
EDGES = ", ".join(f"{0.001 * 2 ** (edge / 8):.6g}" for edge in range(265))
TALLY = f"""
CREATE FUNCTION orchestrator_tally(seconds numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN seconds IS NULL THEN 0
  ELSE ('1e' || 8 * width_bucket(seconds::float8, '{{{EDGES}}}'::float8[]))::numeric END
$$
"""
# Figure by figure: docs/kpis.md. What undoes another execution is none of them.
RUN_LEVELS = """
CREATE FUNCTION orchestrator_runlevels(ids uuid[]) RETURNS SETOF orchestrator_runlevel LANGUAGE sql STABLE AS $$
WITH runs AS MATERIALIZED (
  SELECT e.id, e.unit_id, e.unit_title, e.workflow, e.release_id, e.status, e.created_at, e.finished_at,
    e.status = 'succeeded' AS done, extract(epoch FROM e.finished_at - e.created_at) AS took,
    CASE WHEN e.finished_at >= e.created_at THEN tstzmultirange(tstzrange(e.created_at, e.finished_at)) END AS life
  FROM unnest(ids) AS asked (id) JOIN orchestrator_execution AS e ON e.id = asked.id WHERE e.workflow NOT LIKE 'undo:%'
), ran AS (
  SELECT s.execution_id, range_agg(tstzrange(a.started_at, a.finished_at)) AS spans,
    bool_or(a.status NOT IN ('succeeded', 'parked')) AS disturbed
  FROM runs JOIN orchestrator_step AS s ON s.execution_id = runs.id JOIN orchestrator_attempt AS a ON a.step_id = s.id
  WHERE runs.done AND a.started_at <= a.finished_at GROUP BY s.execution_id
), asked AS (
  SELECT r.execution_id,
    coalesce(range_agg(tstzrange(r.created_at, r.resolved_at)) FILTER (WHERE r.created_at <= r.resolved_at), '{}') AS spans
  FROM runs JOIN approvals_approvalrequest AS r ON r.execution_id = runs.id WHERE NOT r.is_test GROUP BY r.execution_id
), doubted AS (
  SELECT c.execution_id, range_agg(tstzrange(e.at, settled.at)) AS spans
  FROM runs JOIN orchestrator_action AS c ON c.execution_id = runs.id
  JOIN audit_auditevent AS e ON e.object_id = c.id AND e.event = 'action.unknown'
  CROSS JOIN LATERAL (
    SELECT min(n.at) AS at FROM audit_auditevent AS n WHERE n.object_id = e.object_id AND n.before = 'unknown' AND n.at >= e.at
  ) AS settled WHERE runs.done GROUP BY c.execution_id
), paid AS (
  SELECT l.execution_id, sum(l.amount) AS amount
  FROM runs JOIN budgets_ledgerentry AS l ON l.execution_id = runs.id WHERE runs.done GROUP BY l.execution_id
  HAVING bool_and(l.currency = 'USD' OR l.amount IS NULL) AND NOT bool_or(l.basis = 'unknown' AND NOT EXISTS (
    SELECT FROM budgets_ledgerentry AS c WHERE c.corrects_id = l.id))
), called AS (
  SELECT c.execution_id, c.agent, count(*) AS proposed, count(*) FILTER (WHERE c.status = 'denied') AS denied
  FROM runs JOIN orchestrator_action AS c ON c.execution_id = runs.id GROUP BY c.execution_id, c.agent
), calls AS (
  SELECT execution_id, sum(proposed) AS proposed, sum(denied) AS denied,
    coalesce(array_agg(agent ORDER BY agent) FILTER (WHERE agent <> ''), '{}') AS agents,
    coalesce(array_agg(proposed ORDER BY agent) FILTER (WHERE agent <> ''), '{}') AS proposed_by,
    coalesce(array_agg(denied ORDER BY agent) FILTER (WHERE agent <> ''), '{}') AS denied_by
  FROM called GROUP BY execution_id
), spans AS (
  SELECT runs.*, ran.disturbed, asked.spans AS asked, ran.spans + coalesce(asked.spans, '{}') AS held,
    ran.spans * life AS running, coalesce(asked.spans, '{}') * life - ran.spans AS people,
    coalesce(doubted.spans, '{}') * life - ran.spans - coalesce(asked.spans, '{}') AS reconciling
  FROM runs LEFT JOIN ran ON ran.execution_id = runs.id LEFT JOIN asked ON asked.execution_id = runs.id
  LEFT JOIN doubted ON doubted.execution_id = runs.id
), times AS (
  SELECT spans.*, running IS NOT NULL AS staged,
    CASE WHEN done AND NOT disturbed THEN took - orchestrator_seconds(held) END AS overhead,
    CASE WHEN running IS NOT NULL THEN
      coalesce(extract(epoch FROM lower(running + people + reconciling) - created_at), took) END AS queued_time,
    orchestrator_seconds(running) AS running_time, orchestrator_seconds(people) AS people_time,
    orchestrator_seconds(reconciling) AS reconciling_time
  FROM spans
)
SELECT t.unit_id, (t.status IN ('succeeded', 'failed', 'timed_out', 'dead_lettered'))::int, t.done::int,
  (t.finished_at IS NOT NULL AND t.status <> 'dead_lettered')::int, (t.asked IS NOT NULL)::int,
  EXISTS (SELECT FROM orchestrator_execution AS u WHERE u.parent_id = t.id AND u.workflow LIKE 'undo:%')::int,
  (t.status IN ('failed', 'timed_out') OR EXISTS (SELECT FROM orchestrator_deadletter AS d WHERE d.execution_id = t.id))::int,
  (t.overhead IS NOT NULL)::int, (paid.execution_id IS NOT NULL)::int, t.staged::int,
  coalesce(calls.proposed, 0), coalesce(calls.denied, 0),
  t.id, t.created_at, t.workflow, t.unit_title, t.workflow || ' ' || release.version || ' (' || left(release.digest, 8) || ')',
  CASE WHEN t.status IN ('failed', 'timed_out', 'dead_lettered') THEN coalesce((
    SELECT s.key FROM orchestrator_step AS s
    WHERE s.execution_id = t.id AND s.status IN ('dead_letter', 'business_error', 'system_error')
    ORDER BY s.position LIMIT 1), '') ELSE '' END,
  coalesce(calls.agents, '{}'), coalesce(calls.proposed_by, '{}')::int[], coalesce(calls.denied_by, '{}')::int[],
  paid.amount, CASE WHEN t.done THEN t.took END, t.overhead, t.queued_time, t.running_time, t.people_time, t.reconciling_time,
  greatest(t.took - t.queued_time - t.running_time - t.people_time - t.reconciling_time, 0)
FROM times AS t JOIN orchestrator_release AS release ON release.id = t.release_id
LEFT JOIN paid ON paid.execution_id = t.id LEFT JOIN calls ON calls.execution_id = t.id
$$
"""
SECONDS = """
CREATE FUNCTION orchestrator_seconds(spans tstzmultirange) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN spans IS NOT NULL THEN
  (SELECT coalesce(sum(extract(epoch FROM upper(part) - lower(part))), 0) FROM unnest(spans) AS part) END
$$
"""
# Every line that an execution stands in, as if it were the only one of its day.
LINES = """
CREATE FUNCTION orchestrator_levellines(r orchestrator_runlevel) RETURNS SETOF orchestrator_levelrollup LANGUAGE sql IMMUTABLE AS $$
SELECT r.unit_id, r.ended, r.succeeded, r.completed, r.escalated, r.undone, r.leaked, r.measured, r.priced, r.staged,
  l.proposed, l.denied, (r.asked_at AT TIME ZONE 'UTC')::date, l.by, l.line, 1, coalesce(r.cost, 0),
  coalesce(r.queued_time, 0), coalesce(r.running_time, 0), coalesce(r.people_time, 0), coalesce(r.reconciling_time, 0),
  CASE WHEN r.staged = 1 THEN r.between_time ELSE 0 END, orchestrator_tally(r.took), orchestrator_tally(r.overhead),
  orchestrator_tally(r.queued_time), orchestrator_tally(r.running_time), orchestrator_tally(r.people_time),
  orchestrator_tally(r.reconciling_time), orchestrator_tally(r.between_time)
FROM unnest(
  ARRAY['unit', 'workflow', 'release'] || array_fill('agent'::text, ARRAY[cardinality(r.agents)]),
  ARRAY[r.unit_title, r.workflow, r.release] || r.agents,
  ARRAY[r.proposed, r.proposed, r.proposed] || r.proposed_by, ARRAY[r.denied, r.denied, r.denied] || r.denied_by
) AS l (by, line, proposed, denied)
$$
"""
# Where nothing ever ran there is nothing to fill in: what begins from now on is followed.
FOLLOW_IF_EMPTY = """
UPDATE orchestrator_costfold SET levels_before = pg_snapshot_xmin(pg_current_snapshot())::text::bigint
WHERE NOT EXISTS (SELECT FROM orchestrator_execution)
"""


def counts():
    names = ("ended", "succeeded", "completed", "escalated", "undone", "leaked", "measured", "priced", "staged", "proposed", "denied")
    return [("unit_id", models.UUIDField()), *((name, models.IntegerField()) for name in names)]


def seconds(*, null):
    names = ("queued_time", "running_time", "people_time", "reconciling_time", "between_time")
    return [(name, models.DecimalField(decimal_places=6, max_digits=20, null=null)) for name in names]


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0035_failures_of_executions"), ("audit", "0006_doubts_by_time")]

    operations = [
        migrations.AddField("costfold", "levels_before", models.BigIntegerField(default=0, db_default=0)),
        migrations.CreateModel(
            name="RunLevel",
            fields=[
                *counts(),
                ("execution_id", models.UUIDField(primary_key=True, serialize=False)),
                ("asked_at", models.DateTimeField()),
                ("workflow", models.TextField()),
                ("unit_title", models.TextField()),
                ("release", models.TextField()),
                ("failing", models.TextField()),
                ("agents", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("proposed_by", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ("denied_by", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ("cost", models.DecimalField(decimal_places=10, max_digits=30, null=True)),
                ("took", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                ("overhead", models.DecimalField(decimal_places=6, max_digits=20, null=True)),
                *seconds(null=True),
            ],
            options={
                "indexes": [
                    models.Index(fields=["unit_id", "asked_at"], name="run_level_asked"),
                    models.Index(condition=models.Q(("failing", ""), _negated=True), fields=["unit_id", "asked_at"], include=("workflow", "failing"), name="run_level_failing"),
                ],
            },
        ),
        migrations.CreateModel(
            name="LevelRollup",
            fields=[
                *counts(),
                ("pk", models.CompositePrimaryKey("unit_id", "day", "by", "line", blank=True, editable=False, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("by", models.TextField()),
                ("line", models.TextField()),
                ("asked", models.IntegerField()),
                ("cost", models.DecimalField(decimal_places=10, max_digits=30)),
                *seconds(null=False),
                *((f"{name}_tally", orchestrator.models.level.TallyField()) for name in ("took", "overhead", "queued", "running", "people", "reconciling", "between")),
            ],
        ),
        migrations.RunSQL(TALLY, "DROP FUNCTION orchestrator_tally(numeric)"),
        migrations.RunSQL(SECONDS, "DROP FUNCTION orchestrator_seconds(tstzmultirange)"),
        migrations.RunSQL(RUN_LEVELS, "DROP FUNCTION orchestrator_runlevels(uuid[])"),
        migrations.RunSQL(LINES, "DROP FUNCTION orchestrator_levellines(orchestrator_runlevel)"),
        migrations.RunSQL(FOLLOW_IF_EMPTY, migrations.RunSQL.noop),
    ]  # fmt: skip
