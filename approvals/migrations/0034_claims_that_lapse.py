"""A claim that lapses leaves a line in the history of its request."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # The index is built while people decide.
    atomic = False

    dependencies = [("approvals", "0033_what_was_decided_lately")]

    operations = [
        migrations.AddField("claim", "lapsed_at", models.DateTimeField(null=True)),
        AddIndexConcurrently(
            "claim",
            models.Index(
                name="claim_not_known_to_lapse",
                fields=["held_until"],
                condition=models.Q(ended_at__isnull=True, lapsed_at__isnull=True),
            ),
        ),
    ]
