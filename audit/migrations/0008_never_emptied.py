"""The trail is not emptied by one statement either: TRUNCATE passes by the triggers that look at rows.

A stream's head moves with every event, but it never goes: without it nobody could say where the stream ended.
"""

from django.db import migrations

HEADS = "audit_auditstream"
KEPT = (
    f"CREATE TRIGGER {HEADS}_append_only BEFORE DELETE ON {HEADS} FOR EACH ROW EXECUTE FUNCTION append_only()",
    f"DROP TRIGGER {HEADS}_append_only ON {HEADS}",
)
NEVER_EMPTIED = [
    (
        f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
        f"DROP TRIGGER {table}_never_emptied ON {table}",
    )
    for table in ["audit_auditevent", HEADS]
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0007_refused_by_unit")]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in [KEPT, *NEVER_EMPTIED]]
