"""A call that stands alone may belong to the trace its caller is in. The index is built while the site runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0028_trace_export")]
    operations = [
        migrations.AddField(model_name="action", name="trace_id", field=models.UUIDField(null=True)),
        AddIndexConcurrently(
            model_name="action",
            index=models.Index(name="action_joins_trace", fields=["trace_id"], condition=Q(trace_id__isnull=False)),
        ),
    ]
