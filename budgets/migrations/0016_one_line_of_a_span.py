"""A reported span is paid for once: one cost line of a kind beside its corrections. Built while the system runs.

Who brings spans of a unit comes in turn, so there is no second one; the database now says so whoever writes.
"""

from django.db import migrations, models
from django.db.models import Q

NAME = "one_cost_line_of_a_kind_per_span"
# What a build that was cut off left behind would count as there.
DROP = f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}"
BUILD = (
    f"CREATE UNIQUE INDEX CONCURRENTLY {NAME} ON budgets_ledgerentry (span_id, kind) "
    "WHERE span_id IS NOT NULL AND kind <> 'correction'"
)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("budgets", "0015_budget_days")]
    operations = [
        migrations.RunSQL(DROP, migrations.RunSQL.noop),
        migrations.RunSQL(
            BUILD,
            DROP,
            state_operations=[
                migrations.AddConstraint(
                    model_name="ledgerentry",
                    constraint=models.UniqueConstraint(
                        name=NAME, fields=["span_id", "kind"], condition=Q(span_id__isnull=False) & ~Q(kind="correction")
                    ),
                )
            ],
        ),
    ]
