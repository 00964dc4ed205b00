"""The sweep finds what somebody wants read again by an index of few rows. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("approvals", "0035_record_read_again")]
    operations = [
        AddIndexConcurrently(
            model_name="approvalrequest",
            index=models.Index(
                name="request_reading_asked",
                fields=["subject_id"],
                condition=models.Q(status="pending", reading_asked_at__isnull=False),
            ),
        ),
    ]
