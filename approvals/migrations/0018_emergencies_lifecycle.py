"""The guards of broken glass and of bypasses."""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARDS = [
    guard_sql("approvals_breakglass", ["open>justified", "open>objected"], ["open"]),
    guard_sql("approvals_bypass", ["active>retired", "draft>active", "draft>retired"], ["draft"]),
]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0017_emergencies")]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in GUARDS]
