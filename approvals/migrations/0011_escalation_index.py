"""The sweep finds what is due by an index of its own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while requests come in.
    atomic = False

    dependencies = [
        ('approvals', '0010_escalation'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='approvalrequest',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['next_notice_at'], name='request_notice'),
        ),
    ]
