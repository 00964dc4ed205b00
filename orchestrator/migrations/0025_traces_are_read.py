"""A trace is read from the rows that are its evidence; one that began elsewhere is found by this. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0024_action_sent_under")]
    operations = [
        AddIndexConcurrently(
            model_name="execution",
            index=models.Index(
                name="execution_joins_trace", fields=["trace_id"], condition=~Q(trace_id=F("id"))
            ),
        ),
    ]
