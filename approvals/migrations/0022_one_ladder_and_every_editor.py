"""What a policy asks when time is out is a step of the ladder; every editor of a level or a bypass is remembered.

`overdue_noted_at` goes: that a request is overdue is a step that was taken, like every other. No release had the column.
"""

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


def editors():
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None
    )


def never_edited(name):
    return models.CheckConstraint(
        condition=models.Q(
            ("activated_by__isnull", True),
            models.Q(("editors__contains", [models.F("activated_by")]), _negated=True),
            _connector="OR",
        ),
        name=name,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0021_next_notice_index"),
        ("audit", "0002_append_only"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveField(model_name="approvalrequest", name="overdue_noted_at"),
        migrations.AddField(
            model_name="escalation", name="reviewers", field=models.TextField(db_default="", default="")
        ),
        migrations.AddField(
            model_name="notice", name="asked_reviewers", field=models.TextField(db_default="", default="")
        ),
        migrations.AddField(model_name="bypass", name="editors", field=editors()),
        migrations.RunSQL(EDITORS.format(table="approvals_bypass", noun="bypass"), migrations.RunSQL.noop),
        migrations.AddField(model_name="escalationlevel", name="editors", field=editors()),
        migrations.RunSQL(
            EDITORS.format(table="approvals_escalationlevel", noun="escalation_level"), migrations.RunSQL.noop
        ),
        migrations.AddConstraint(
            model_name="bypass", constraint=never_edited("active_bypass_was_never_edited_by_its_activator")
        ),
        migrations.AddConstraint(
            model_name="escalationlevel",
            constraint=never_edited("active_escalationlevel_was_never_edited_by_its_activator"),
        ),
    ]
