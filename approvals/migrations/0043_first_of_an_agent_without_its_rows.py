"""The first requests of each agent are found in an index alone. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("approvals", "0042_a_reason_for_an_answer_that_is_none")]
    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("status", "pending")),
                fields=["agent", "decide_by", "-required", "id"],
                include=("unit_id", "tier", "tool"),
                name="request_first_of_agent",
            ),
        ),
        RemoveIndexConcurrently(model_name="approvalrequest", name="request_of_agent"),
    ]
