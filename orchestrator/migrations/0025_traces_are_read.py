"""A trace is read from the rows that are its evidence. What was written beside them until now is the same once more, and goes."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q

TWICE = "DELETE FROM audit_span WHERE kind IN ('step', 'tool')"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0024_action_sent_under"), ("audit", "0002_append_only")]
    operations = [
        AddIndexConcurrently(
            model_name="execution",
            index=models.Index(
                name="execution_joins_trace", fields=["trace_id"], condition=~Q(trace_id=F("id"))
            ),
        ),
        migrations.RunSQL(TWICE, migrations.RunSQL.noop),
    ]
