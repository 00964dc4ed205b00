"""What is searched for among all executions and calls: how long they took, in which way anything failed, who called what and
what came of it. Built while the system runs.
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
        AddIndexConcurrently("action", models.Index(name="action_time", fields=["-created_at", "-id"])),
        *(
            AddIndexConcurrently("action", models.Index(name=f"action_{name}_time", fields=[name, "-created_at", "-id"]))
            for name in ("agent", "tool", "status", "verdict", "tier")
        ),
    ]
