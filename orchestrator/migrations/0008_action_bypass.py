"""An action keeps the bypass that let it through."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0007_stopped_indexes'),
    ]

    operations = [
        migrations.AddField(
            model_name='action',
            name='bypass_id',
            field=models.UUIDField(null=True),
        ),
    ]
