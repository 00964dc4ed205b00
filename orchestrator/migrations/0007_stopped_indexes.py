"""What waits for a stop is found every second by the sweep. Built while the site runs, so outside a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0006_stopped")]
    operations = [
        AddIndexConcurrently(
            model_name="action",
            index=models.Index(
                condition=models.Q(("approval_id__isnull", True), ("status", "held")),
                fields=["unit_id"],
                name="action_held_by_a_stop",
            ),
        ),
        AddIndexConcurrently(
            model_name="step",
            index=models.Index(condition=models.Q(("status", "stopped")), fields=["unit_id"], name="step_stopped"),
        ),
    ]
