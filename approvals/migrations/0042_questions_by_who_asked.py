"""Whoever sent something back finds it again on their Work page without reading every request. Built while the system runs."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("approvals", "0041_reasons_to_reject"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="remark",
            index=models.Index(
                condition=models.Q(("kind", "question")), fields=["author", "request"], name="remark_asker"
            ),
        ),
    ]
