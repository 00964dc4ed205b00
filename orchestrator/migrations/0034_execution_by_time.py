"""The newest executions of many units are read in order, whoever's they are. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0033_statistics")]
    operations = [
        AddIndexConcurrently("execution", models.Index(name="execution_time", fields=["-created_at", "-id"])),
    ]
