"""One compensation per effect and one undo per execution at a time, said by the database. Built while the site runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

COMPENSATION = models.UniqueConstraint(
    name="one_live_compensation_per_action",
    fields=["undoes_id"],
    condition=models.Q(undoes_id__isnull=False)
    & ~models.Q(status__in=["void", "withdrawn", "denied", "rejected", "expired", "failed"]),
)
UNDER_WAY = models.UniqueConstraint(
    name="one_undo_under_way_per_execution",
    fields=["parent_id"],
    condition=models.Q(workflow__startswith="undo:", status__in=["queued", "running", "waiting", "dead_lettered"]),
)


def unique(model, constraint, columns, where):
    """A unique constraint with a condition is an index, and an index can be built without stopping anybody."""
    return migrations.SeparateDatabaseAndState(
        [
            migrations.RunSQL(
                f"CREATE UNIQUE INDEX CONCURRENTLY {constraint.name} ON orchestrator_{model} ({columns}) WHERE {where}",
                f"DROP INDEX CONCURRENTLY {constraint.name}",
            )
        ],
        [migrations.AddConstraint(model_name=model, constraint=constraint)],
    )


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0011_unknown_outcomes_index")]
    operations = [
        AddIndexConcurrently(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("parent_id__isnull", False)), fields=["parent_id"], name="execution_parent"
            ),
        ),
        unique(
            "execution",
            UNDER_WAY,
            "parent_id",
            "workflow LIKE 'undo:%' AND status IN ('queued', 'running', 'waiting', 'dead_lettered')",
        ),
        unique(
            "action",
            COMPENSATION,
            "undoes_id",
            "undoes_id IS NOT NULL AND status NOT IN ('void', 'withdrawn', 'denied', 'rejected', 'expired', 'failed')",
        ),
    ]
