"""One execution that two people let go on over a budget: a new table, and the function that reserves asks it."""

from importlib import import_module

import audit.ids
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from audit.lifecycle import guard_sql


GUARD = guard_sql("budgets_budgetexception", ["active>retired", "draft>active", "draft>retired"], ["draft"])
BEFORE = import_module("budgets.migrations.0009_budget_functions").RESERVE[0]

# As before, but for what two people let through: nothing is reserved there, and a run counts as used up when it starts.
RESERVE = """
CREATE OR REPLACE FUNCTION budget_reserve(p_unit uuid, p_workflow text, p_agent text, p_requester text, p_holder uuid,
  p_execution uuid, p_money numeric, p_currency text, p_tokens numeric, p_runs numeric, p_assume boolean)
RETURNS TABLE (window_id uuid, needed numeric) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  ids uuid[]; amounts numeric[]; mosts numeric[]; hards boolean[]; free uuid[];
BEGIN
  SELECT array_agg(x.id ORDER BY x.budget) FILTER (WHERE NOT x.is_free),
    array_agg(x.amount ORDER BY x.budget) FILTER (WHERE NOT x.is_free),
    array_agg(x.most ORDER BY x.budget) FILTER (WHERE NOT x.is_free),
    array_agg(x.is_hard ORDER BY x.budget) FILTER (WHERE NOT x.is_free),
    array_agg(x.id) FILTER (WHERE x.is_free AND x.measure = 'runs') INTO ids, amounts, mosts, hards, free
  FROM (SELECT l.*, EXISTS (SELECT 1 FROM budgets_budgetexception AS e WHERE e.status = 'active'
      AND e.execution_id = p_execution AND e.budget = l.budget) AS is_free, CASE l.measure WHEN 'runs' THEN p_runs
    WHEN 'tokens' THEN COALESCE(p_tokens, CASE WHEN p_assume THEN l.assumed ELSE 0 END)
    ELSE COALESCE(CASE WHEN l.currency = p_currency THEN p_money END, CASE WHEN p_assume OR p_money IS NOT NULL
      THEN l.assumed ELSE 0 END) END AS amount
    FROM budget_locked(p_unit, p_workflow, p_agent, p_requester) AS l) AS x WHERE x.amount > 0;
  IF ids IS NOT NULL THEN
    RETURN QUERY SELECT w.id, t.amount FROM unnest(ids, amounts, mosts, hards) AS t (id, amount, most, hard)
      JOIN budgets_budgetwindow AS w ON w.id = t.id WHERE t.hard AND w.spent + w.reserved + t.amount > t.most
      ORDER BY w.budget LIMIT 1;
    IF FOUND THEN
      RETURN;
    END IF;
    UPDATE budgets_budgetwindow AS w SET reserved = w.reserved + t.amount, "limit" = t.most, is_hard = t.hard
      FROM unnest(ids, amounts, mosts, hards) AS t (id, amount, most, hard) WHERE w.id = t.id;
    INSERT INTO budgets_reservation AS r (id, window_id, holder, unit_id, execution_id, amount)
      SELECT budget_new_id(), t.id, p_holder, p_unit, p_execution, t.amount FROM unnest(ids, amounts) AS t (id, amount)
      ON CONFLICT ON CONSTRAINT one_reservation_of_a_holder_per_window DO UPDATE SET amount = r.amount + EXCLUDED.amount;
  END IF;
  UPDATE budgets_budgetwindow AS w SET spent = w.spent + p_runs WHERE w.id = ANY (free);
END $$"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_append_only'),
        ('budgets', '0010_ledger_of_a_trace'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BudgetException',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name of this exception: october-closing', max_length=80, unique=True)),
                ('unit_id', models.UUIDField(editable=False, null=True)),
                ('budget', models.CharField(max_length=80)),
                ('execution_id', models.UUIDField(verbose_name='execution')),
                ('why', models.CharField(help_text='Kept in the audit trail', max_length=300, verbose_name='reason')),
                ('activated_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('edited_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
                'indexes': [models.Index(condition=models.Q(('status', 'active')), fields=['execution_id'], name='exception_in_force')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_budgetexception_per_name'), models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_budgetexception_was_activated_by_another_person'), models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_budgetexception_was_never_edited_by_its_activator'), models.CheckConstraint(condition=models.Q(('why', ''), _negated=True), name='budget_exception_says_why')],
            },
        ),
        migrations.RunSQL(*GUARD),
        migrations.RunSQL(RESERVE, BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")),
    ]
