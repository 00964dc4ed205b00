"""How far the ledger is folded counts transactions of one server: which one is kept beside it. Adds a column with a default, no more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0039_searches")]
    operations = [migrations.AddField("costfold", "server", models.TextField(default="", db_default=""))]
