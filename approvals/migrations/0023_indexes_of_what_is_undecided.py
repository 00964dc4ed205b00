"""A request that was sent back keeps its clocks and its ladder, so the indexes of both hold it, too."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while requests come in.
    atomic = False

    dependencies = [("approvals", "0022_one_ladder_and_every_editor")]

    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("open_to__isnull", False), ("status", "pending")),
                fields=["id"],
                name="request_open_to",
            ),
        ),
        RemoveIndexConcurrently(model_name="approvalrequest", name="request_next_notice"),
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("frozen_at__isnull", True), ("status__in", ("pending", "sent_back"))),
                fields=["next_notice_at"],
                name="request_next_notice",
            ),
        ),
        RemoveIndexConcurrently(model_name="approvalrequest", name="request_frozen"),
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(
                    ("frozen_at__isnull", False), ("status__in", ["pending", "sent_back", "approved"])
                ),
                fields=["id"],
                name="request_frozen",
            ),
        ),
    ]
