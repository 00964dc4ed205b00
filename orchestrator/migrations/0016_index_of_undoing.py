"""Who undid an action, found by an index. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0015_throttled_index")]
    operations = [
        AddIndexConcurrently(
            model_name="action",
            index=models.Index(
                name="action_undoes", fields=["undoes_id"], condition=models.Q(("undoes_id__isnull", False))
            ),
        ),
    ]
