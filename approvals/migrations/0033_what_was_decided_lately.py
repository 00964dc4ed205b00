"""What one person has decided lately is asked on every page, and found by an index. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("approvals", "0032_evaluation_cases_lifecycle")]
    operations = [
        AddIndexConcurrently(
            model_name="decision", index=models.Index(name="decision_lately", fields=["person", "-at"])
        ),
    ]
