"""What was refused to the machines of a unit, found among refusals. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0006_doubts_by_time")]
    operations = [
        AddIndexConcurrently(
            "auditevent",
            models.Index(name="audit_event_refused", fields=["unit_id", "at"], include=["why", "actor_name"],
                         condition=Q(event="request.refused", unit_id__isnull=False)),
        ),
    ]  # fmt: skip
