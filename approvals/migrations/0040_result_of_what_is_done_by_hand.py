"""What a person has to give who does a failed step by hand. Null for whatever waited before: those are approved as they were."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("approvals", "0039_counting_has_its_own_index")]
    operations = [
        migrations.AddField(
            model_name="approvalrequest",
            name="result_schema",
            field=models.JSONField(editable=False, null=True),
        ),
    ]
