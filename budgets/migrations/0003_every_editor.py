"""Everybody who ever edited a business unit's draft is remembered, and cannot activate it."""

import django.contrib.postgres.fields
from django.conf import settings
from django.db import migrations, models

# Everybody the trail knows to have edited a draft; of what is in force already, the last editor. Undone with the column.
EDITORS = """
UPDATE {table} AS d SET editors = CASE WHEN d.status <> 'draft' THEN ARRAY[d.edited_by_id] ELSE ARRAY(
  SELECT DISTINCT editor FROM (
    SELECT substr(actor, 6)::bigint AS editor FROM audit_auditevent
    WHERE object_id = d.id AND actor LIKE 'user:%' AND event IN ('{noun}.draft', '{noun}.edited')
    UNION ALL SELECT d.edited_by_id
  ) AS known WHERE editor IS NOT NULL ORDER BY editor
) END WHERE d.edited_by_id IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_append_only'),
        ('budgets', '0002_lifecycle'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='businessunit',
            name='editors',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None),
        ),
        migrations.RunSQL(EDITORS.format(table='budgets_businessunit', noun='business_unit'), migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name='businessunit',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_businessunit_was_never_edited_by_its_activator'),
        ),
    ]
