"""Which executions an attempt or a call of failed, found among the few that did. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0034_execution_by_time")]
    operations = [
        AddIndexConcurrently(
            "attempt", models.Index(name="attempt_failed", fields=["execution_id"], condition=~Q(failure_class=""))
        ),
        AddIndexConcurrently(
            "action", models.Index(name="action_failed", fields=["execution_id"], condition=~Q(failure_class=""))
        ),
    ]
