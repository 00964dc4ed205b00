"""Units take turns where more is due than is claimed: each unit's oldest due step by one look into an index."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while work runs.
    atomic = False

    dependencies = [("orchestrator", "0012_undo")]

    operations = [
        AddIndexConcurrently(
            model_name="step",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False), ("status", "pending")),
                fields=["unit_id", "due_at"],
                name="step_due_of_unit",
            ),
        ),
    ]
