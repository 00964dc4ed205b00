"""The database refuses every edge of an alert that its lifecycle table does not list."""

from django.db import migrations

from audit.lifecycle import guard_sql

ALERT = (
    "orchestrator_alert",
    ["acknowledged>resolved", "open>acknowledged", "open>resolved", "resolved>open"],
    ["open"],
)


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0026_alerts"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(*guard_sql(*ALERT))]
