"""The sweep looks at running clocks only: with many thousands of requests frozen, it reads none of them."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while requests come in.
    atomic = False

    dependencies = [("approvals", "0020_stood_and_told")]

    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("frozen_at__isnull", True), ("status", "pending")),
                fields=["next_notice_at"],
                name="request_next_notice",
            ),
        ),
        RemoveIndexConcurrently(model_name="approvalrequest", name="request_notice"),
    ]
