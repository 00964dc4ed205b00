"""The lane of unknown outcomes and the sweep find their few rows. Built while the site runs, so outside a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0010_unknown_outcomes")]
    operations = [
        AddIndexConcurrently(
            model_name="action",
            index=models.Index(
                condition=models.Q(("status", "unknown")), fields=["next_look_at"], name="action_unknown"
            ),
        ),
    ]
