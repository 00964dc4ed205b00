"""The lifecycle with questions and answers: new edges for the database to allow, and two more append-only tables."""

from django.db import migrations

from audit.lifecycle import guard_sql

TABLE = "approvals_approvalrequest"
INITIAL = ["pending"]
BEFORE = [
    "approved>expired",
    "approved>used",
    "approved>void",
    "approved>withdrawn",
    "pending>approved",
    "pending>expired",
    "pending>rejected",
    "pending>void",
    "pending>withdrawn",
]
ADDED = [
    "pending>answered",
    "pending>sent_back",
    "sent_back>expired",
    "sent_back>pending",
    "sent_back>void",
    "sent_back>withdrawn",
]
OLD, NEW = guard_sql(TABLE, BEFORE, INITIAL), guard_sql(TABLE, sorted([*BEFORE, *ADDED]), INITIAL)
APPEND_ONLY = ["approvals_edit", "approvals_remark"]

TRIGGERS = [
    (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION append_only()",
        f"DROP TRIGGER {table}_append_only ON {table}",
    )
    for table in APPEND_ONLY
]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0005_edits_questions_answers")]
    operations = [
        # In one transaction: there is no moment in which the table has no guard.
        migrations.RunSQL(f"{OLD[1]}; {NEW[0]}", f"{NEW[1]}; {OLD[0]}"),
        *[migrations.RunSQL(forward, reverse) for forward, reverse in TRIGGERS],
    ]
