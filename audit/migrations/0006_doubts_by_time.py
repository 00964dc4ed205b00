"""How long unknown outcomes took to be known is asked over a range of time. They are few, so an index of them alone costs the
hot path nothing. It is built while the site runs.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0005_statistics")]
    operations = [
        AddIndexConcurrently(
            "auditevent",
            models.Index(name="audit_event_doubt", fields=["-at"], condition=models.Q(event="action.unknown")),
        )
    ]
