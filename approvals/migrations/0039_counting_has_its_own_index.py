"""The counts of the queue read an index of their own, so that the planner has no choice between two for one agent. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("approvals", "0038_what_was_found_about_it"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("status", "pending")),
                fields=["unit_id"],
                include=("agent", "tool", "id", "tier", "decide_by"),
                name="request_counted",
            ),
        ),
        RemoveIndexConcurrently(model_name="approvalrequest", name="request_flood"),
    ]
