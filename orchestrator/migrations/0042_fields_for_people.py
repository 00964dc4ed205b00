"""Two fields say that nothing is refused by them. Changes no column."""

from django.db import migrations, models

CLASSIFICATION = models.CharField(
    blank=True, max_length=40, help_text="For people to read: nothing is refused by it"
)  # fmt: skip
SCOPES = models.JSONField(
    blank=True, default=list,
    help_text="What it asks of its own credentials, for people to read: nothing is refused by it",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0041_egress_hosts")]

    operations = [
        migrations.AlterField("agent", "data_classification", CLASSIFICATION),
        migrations.AlterField("tool", "scopes", SCOPES),
    ]
