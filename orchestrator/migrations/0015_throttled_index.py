"""What waits for its turn under a limit is found, and counted, without a look at the other steps."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while work runs.
    atomic = False

    dependencies = [("orchestrator", "0014_limits")]

    operations = [
        AddIndexConcurrently(
            model_name="step",
            index=models.Index(
                condition=models.Q(("status", "throttled")), fields=["waits_for", "due_at"], name="step_throttled"
            ),
        ),
    ]
