"""Who was signed for is found by an index of its own."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Built while people decide.
    atomic = False

    dependencies = [
        ('approvals', '0012_delegation'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='decision',
            index=models.Index(condition=models.Q(('for_person__isnull', False)), fields=['for_person'], name='decision_for_person'),
        ),
    ]
