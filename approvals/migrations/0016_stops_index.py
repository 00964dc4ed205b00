"""The sweep asks every second which clocks stand still. Built while the site runs, so outside a transaction."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("approvals", "0015_stops_lifecycle")]
    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("frozen_at__isnull", False), ("status__in", ["pending", "approved"])),
                fields=["id"],
                name="request_frozen",
            ),
        ),
    ]
