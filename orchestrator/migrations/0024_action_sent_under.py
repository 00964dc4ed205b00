"""Is there another call under this business key? Found by an index of what was sent. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0023_costs")]
    operations = [
        AddIndexConcurrently(
            model_name="action",
            index=models.Index(
                name="action_sent_under",
                fields=["tool", "business_key"],
                condition=Q(redeemed_at__isnull=False) & ~Q(business_key="") & ~Q(effect="read"),
            ),
        ),
    ]
