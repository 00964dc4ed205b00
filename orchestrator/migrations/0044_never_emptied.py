"""What is never rewritten is not emptied by one statement either: TRUNCATE passes by the triggers that look at rows.

People's decisions are among it: a table of theirs and one of ours that speaks of the same action are guarded together.
"""

from django.db import migrations

TABLES = [
    "approvals_confirmation",
    "approvals_decision",
    "approvals_drawseed",
    "approvals_edit",
    "approvals_escalation",
    "approvals_recordchange",
    "approvals_remark",
    "orchestrator_outcomeanswer",
    "orchestrator_release",
    "orchestrator_steppatch",
]
NEVER_EMPTIED = [
    (
        f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
        f"DROP TRIGGER {table}_never_emptied ON {table}",
    )
    for table in TABLES
]


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0043_doubts_stay"),
        ("approvals", "0045_done_by_hand"),
        ("audit", "0002_append_only"),
    ]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in NEVER_EMPTIED]
