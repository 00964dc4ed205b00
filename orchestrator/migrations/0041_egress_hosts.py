"""What a list of hosts may hold is looked at when a tool or an agent is written down. Changes no column."""

from django.db import migrations, models

import orchestrator.models.definition


def hosts():
    return models.JSONField(
        blank=True, default=list, validators=[orchestrator.models.definition.names_hosts],
        help_text='Hosts its code may reach: ["erp.bank.example", "*.bank.example:443"]; none: whatever its release names',
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0040_moved_databases")]

    operations = [
        migrations.AlterField("agent", "egress", hosts()),
        migrations.AlterField("tool", "egress", hosts()),
    ]
