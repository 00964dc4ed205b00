"""The database refuses every edge that the lifecycle tables do not list, and every change of append-only rows."""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARDED = [
    (
        "approvals_approvalpolicy",
        ["active>retired", "draft>active", "draft>retired"],
        ["draft"],
    ),
    (
        "approvals_approvalrequest",
        [
            "approved>expired",
            "approved>used",
            "approved>void",
            "approved>withdrawn",
            "pending>approved",
            "pending>expired",
            "pending>rejected",
            "pending>void",
            "pending>withdrawn",
        ],
        ["pending"],
    ),
]
APPEND_ONLY = ["approvals_decision"]

GUARDS = [guard_sql(*row) for row in GUARDED] + [
    (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION append_only()",
        f"DROP TRIGGER {table}_append_only ON {table}",
    )
    for table in APPEND_ONLY
]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in GUARDS]
