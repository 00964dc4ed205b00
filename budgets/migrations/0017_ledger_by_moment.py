"""The newest lines of many units are read in order, whoever's they are. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("budgets", "0016_one_line_of_a_span")]
    operations = [
        AddIndexConcurrently(model_name="ledgerentry", index=models.Index(name="ledger_at", fields=["at", "id"])),
    ]
