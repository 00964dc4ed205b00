"""What triage asks of the letters. Built while the site runs, so outside a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

INDEXES = [
    models.Index(name="dead_letter_group", fields=["group", "status", "-last_at", "-id"]),
    models.Index(name="dead_letter_last", fields=["last_at"]),
    models.Index(name="dead_letter_redriven", fields=["last_at"], condition=Q(status="redriven")),
    models.Index(name="dead_letter_unfiled", fields=["id"], condition=Q(group__isnull=True)),
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0019_triage_lifecycles")]
    operations = [AddIndexConcurrently(model_name="deadletter", index=index) for index in INDEXES]
