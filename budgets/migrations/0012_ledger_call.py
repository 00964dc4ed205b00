"""A line of a model call keeps how it was called. A constant default: no row is rewritten, and older code goes on writing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("budgets", "0011_exceptions")]
    operations = [
        migrations.AddField(
            model_name="ledgerentry",
            name="call",
            field=models.JSONField(default=dict, db_default=models.Value({}, models.JSONField())),
        ),
    ]
