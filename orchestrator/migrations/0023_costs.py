"""Roll-ups of the ledger and the views they are read through. Every line and every correction enters by one definition."""

from django.db import migrations, models

BUCKET = """
SELECT written_in, {amount} AS amount, {lines} AS lines, {unknown} AS unknown, {estimated} AS estimated,
       {tokens}, line.unit_id, (line.at AT TIME ZONE 'UTC')::date AS day,
       coalesce(run.workflow, '') AS workflow, coalesce(run.release_id::text, '') AS release,
       coalesce(run.requester, '') AS requester, line.agent, line.provider, line.model, line.tool, line.kind,
       line.currency, line.basis
"""
RUN = "LEFT JOIN orchestrator_execution AS run ON run.id = line.execution_id"
TOKENS = """
line.input_tokens, coalesce(line.cached_input_tokens, 0)::bigint AS cached_input_tokens, line.output_tokens,
coalesce(line.reasoning_tokens, 0)::bigint AS reasoning_tokens, coalesce(line.seconds, 0)::bigint AS seconds
"""
NO_TOKENS = "0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint"
# The second half: what was unknown is known from its first correction on. First means first written, not first by a clock:
# lines are folded in that order, so folding in steps says what folding at once says.
CHANGES = f"""
CREATE VIEW orchestrator_costchange AS
{BUCKET.format(
    amount="coalesce(line.amount, 0)", lines="(line.kind <> 'correction')::int", unknown="(line.basis = 'unknown')::int",
    estimated="(line.basis = 'estimated')::int", tokens=TOKENS,
).replace("SELECT written_in", "SELECT line.written_in")}
FROM budgets_ledgerentry AS line {RUN}
UNION ALL
{BUCKET.format(amount="0", lines="0", unknown="-1", estimated="0", tokens=NO_TOKENS).replace(
    "SELECT written_in", "SELECT change.written_in"
)}
FROM budgets_ledgerentry AS change JOIN budgets_ledgerentry AS line ON line.id = change.corrects_id {RUN}
WHERE line.basis = 'unknown' AND NOT EXISTS (
  SELECT FROM budgets_ledgerentry AS earlier
  WHERE earlier.corrects_id = line.id AND (earlier.written_in, earlier.id) < (change.written_in, change.id))
"""
KEPT = "day, unit_id, workflow, release, requester, agent, provider, model, tool, kind, currency, basis"
SUMMED = "amount, lines, unknown, estimated, input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, seconds"
# Planned with the value at hand: as a part of the view, the planner takes the few lines since for a third of the ledger. It sees what
# the statement that asks sees, so nothing is counted twice while a fold commits.
UNFOLDED = """
CREATE FUNCTION orchestrator_costunfolded() RETURNS SETOF orchestrator_costchange LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY EXECUTE 'SELECT * FROM orchestrator_costchange WHERE written_in >= $1'
    USING coalesce((SELECT before FROM orchestrator_costfold), 0)::text::xid8;
END $$
"""
COST = f"""
CREATE VIEW orchestrator_cost AS
SELECT key, {KEPT}, {SUMMED} FROM orchestrator_costrollup
UNION ALL
SELECT '', {KEPT}, {SUMMED} FROM orchestrator_costunfolded()
"""
FIRST = "INSERT INTO orchestrator_costfold (id, before) VALUES (1, 0)"


class Migration(migrations.Migration):

    dependencies = [
        ('budgets', '0007_ledger_written_in'),
        ('orchestrator', '0022_one_tier'),
    ]

    operations = [
        migrations.CreateModel(
            name='Cost',
            fields=[
                ('day', models.DateField()),
                ('unit_id', models.UUIDField()),
                ('workflow', models.TextField()),
                ('release', models.TextField()),
                ('requester', models.TextField()),
                ('agent', models.TextField()),
                ('provider', models.TextField()),
                ('model', models.TextField()),
                ('tool', models.TextField()),
                ('kind', models.TextField()),
                ('currency', models.TextField()),
                ('basis', models.TextField()),
                ('amount', models.DecimalField(decimal_places=10, max_digits=30)),
                ('lines', models.BigIntegerField()),
                ('unknown', models.BigIntegerField()),
                ('estimated', models.BigIntegerField()),
                ('input_tokens', models.BigIntegerField()),
                ('cached_input_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('reasoning_tokens', models.BigIntegerField()),
                ('seconds', models.BigIntegerField()),
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
            ],
            options={
                'db_table': 'orchestrator_cost',
                'managed': False,
            },
        ),
        migrations.CreateModel(
            name='CostFold',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('before', models.BigIntegerField(default=0)),
                ('at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_row_says_how_far_costs_are_folded')],
            },
        ),
        migrations.CreateModel(
            name='CostRollup',
            fields=[
                ('day', models.DateField()),
                ('unit_id', models.UUIDField()),
                ('workflow', models.TextField()),
                ('release', models.TextField()),
                ('requester', models.TextField()),
                ('agent', models.TextField()),
                ('provider', models.TextField()),
                ('model', models.TextField()),
                ('tool', models.TextField()),
                ('kind', models.TextField()),
                ('currency', models.TextField()),
                ('basis', models.TextField()),
                ('amount', models.DecimalField(decimal_places=10, max_digits=30)),
                ('lines', models.BigIntegerField()),
                ('unknown', models.BigIntegerField()),
                ('estimated', models.BigIntegerField()),
                ('input_tokens', models.BigIntegerField()),
                ('cached_input_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('reasoning_tokens', models.BigIntegerField()),
                ('seconds', models.BigIntegerField()),
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
            ],
            options={
                'indexes': [models.Index(fields=['unit_id', 'day'], name='cost_rollup_unit_day')],
            },
        ),
        migrations.RunSQL(FIRST, migrations.RunSQL.noop),
        migrations.RunSQL(CHANGES, "DROP VIEW orchestrator_costchange"),
        migrations.RunSQL(UNFOLDED, "DROP FUNCTION orchestrator_costunfolded()"),
        migrations.RunSQL(COST, "DROP VIEW orchestrator_cost"),
    ]
