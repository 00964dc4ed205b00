"""What the search for traces asks of all executions: how long they took, in which way anything failed, who called what. Built
while the system runs.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import ExpressionWrapper, F, Q

TOOK = models.Index(
    ExpressionWrapper(F("finished_at") - F("created_at"), models.DurationField()),
    name="execution_took",
    condition=Q(finished_at__isnull=False),
)


def failed_so(name: str) -> models.Index:
    return models.Index(name=name, fields=["failure_class", "execution_id"], condition=~Q(failure_class=""))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0038_run_totals")]
    operations = [
        AddIndexConcurrently("execution", TOOK),
        AddIndexConcurrently("attempt", failed_so("attempt_failed_so")),
        AddIndexConcurrently("action", failed_so("action_failed_so")),
        AddIndexConcurrently("action", models.Index(name="action_agent_time", fields=["agent", "-created_at", "-id"])),
        AddIndexConcurrently("action", models.Index(name="action_tool_time", fields=["tool", "-created_at", "-id"])),
    ]
