"""What a person gave in a tool's stead, or of a step done by hand, is kept with their decision. Those before have none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0043_first_of_an_agent_without_its_rows")]
    operations = [migrations.AddField("decision", "result", models.JSONField(blank=True, null=True))]
