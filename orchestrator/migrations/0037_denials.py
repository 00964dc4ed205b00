"""Why the gate said no, in one word, and denied calls found among all. The index is built while the system runs.

Calls denied before this have an empty one: their reasons say it in words only, and are not guessed at.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0036_level_rollups")]
    operations = [
        migrations.AddField(
            "action",
            "denial",
            models.CharField(
                blank=True,
                choices=[
                    ("tool", "Unsafe tool attempts"), ("boundary", "Data-boundary breaches"),
                    ("arguments", "Arguments that do not fit"), ("policy", "Policy violations"),
                ],
                db_default="", default="", max_length=10,
            ),
        ),
        AddIndexConcurrently(
            "action",
            models.Index(name="action_denied", fields=["unit_id", "created_at"], include=["denial", "agent"], condition=Q(status="denied")),
        ),
    ]  # fmt: skip
