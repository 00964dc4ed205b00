"""A request whose time to decide is one of open hours keeps which calendar counts it, and how much it was.

Two empty columns: nothing is rewritten. Requests from before have none, and count as they did. The way back drops them.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0047_no_after_yes")]
    operations = [
        migrations.AddField("approvalrequest", "calendar_id", models.UUIDField(editable=False, null=True)),
        migrations.AddField("approvalrequest", "open_seconds", models.PositiveIntegerField(editable=False, null=True)),
    ]
