"""The database refuses every edge that the lifecycle tables do not list, and every change of append-only rows."""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARDED = [
    (
        "budgets_businessunit",
        ["active>retired", "draft>active", "draft>retired"],
        ["draft"],
    ),
]
APPEND_ONLY = ["budgets_ledgerentry"]

GUARDS = [guard_sql(*row) for row in GUARDED] + [
    (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION append_only()",
        f"DROP TRIGGER {table}_append_only ON {table}",
    )
    for table in APPEND_ONLY
]


class Migration(migrations.Migration):
    dependencies = [("budgets", "0001_initial"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in GUARDS]
