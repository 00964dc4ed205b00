"""Groups, calendars and linked accounts move along their lifecycle or not at all, also by SQL typed by hand."""

from django.db import migrations

from audit.lifecycle import guard_sql

TABLES = ["approvals_reviewergroup", "approvals_businesscalendar", "approvals_linkedaccounts"]
GUARDS = [guard_sql(table, ["active>retired", "draft>active", "draft>retired"], ["draft"]) for table in TABLES]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_policies_say_who"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in GUARDS]
