"""What a part of a trace cost is found by an index, also outside executions. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("budgets", "0009_budget_functions")]
    operations = [
        AddIndexConcurrently(
            model_name="ledgerentry",
            index=models.Index(
                name="ledger_action",
                fields=["action_id"],
                condition=Q(execution_id__isnull=True, action_id__isnull=False),
            ),
        ),
        AddIndexConcurrently(
            model_name="ledgerentry",
            index=models.Index(name="ledger_span", fields=["span_id"], condition=Q(span_id__isnull=False)),
        ),
    ]
