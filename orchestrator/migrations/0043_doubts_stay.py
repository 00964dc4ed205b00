"""A doubt stays a doubt: a column that remembers it, and the edges that lead back to it. Adds a column with a constant default,
so no row is rewritten. What is unknown now is in doubt; nobody can tell any more of what was granted again before.
"""

from django.db import migrations, models

from audit.lifecycle import guard_sql

ACTION, STEP = "orchestrator_action", "orchestrator_step"
ACTION_BEFORE = [
    "failed>granted", "failed>void", "granted>expired", "granted>redeemed", "granted>void", "granted>withdrawn",
    "held>answered", "held>expired", "held>granted", "held>rejected", "held>sent_back", "held>void", "held>withdrawn",
    "proposed>denied", "proposed>granted", "proposed>held", "redeemed>failed", "redeemed>succeeded", "redeemed>unknown",
    "sent_back>expired", "sent_back>held", "sent_back>void", "sent_back>withdrawn", "succeeded>undone", "unknown>failed",
    "unknown>granted", "unknown>succeeded",
]  # fmt: skip
STEP_BEFORE = [
    "awaiting_approval>business_error", "awaiting_approval>cancelled", "awaiting_approval>pending",
    "awaiting_approval>success", "budget_hold>cancelled", "budget_hold>pending", "dead_letter>cancelled",
    "dead_letter>pending", "in_progress>awaiting_approval", "in_progress>budget_hold", "in_progress>business_error",
    "in_progress>cancelled", "in_progress>pending", "in_progress>stopped", "in_progress>success",
    "in_progress>system_error", "in_progress>throttled", "in_progress>unknown_outcome", "pending>budget_hold",
    "pending>business_error", "pending>cancelled", "pending>in_progress", "pending>skipped", "scheduled>cancelled",
    "scheduled>pending", "stopped>cancelled", "stopped>pending", "system_error>awaiting_approval",
    "system_error>dead_letter", "system_error>scheduled", "throttled>cancelled", "throttled>pending",
    "unknown_outcome>cancelled", "unknown_outcome>dead_letter", "unknown_outcome>pending",
]  # fmt: skip
ACTION_AFTER = sorted([*ACTION_BEFORE, "granted>unknown"])
STEP_AFTER = sorted([*STEP_BEFORE, "system_error>unknown_outcome", "awaiting_approval>dead_letter"])


def guard(table: str, edges: list[str], initial: str) -> str:
    make, drop = guard_sql(table, edges, [initial])
    return f"{drop}; {make}"


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0042_fields_for_people"), ("audit", "0002_append_only")]
    operations = [
        migrations.AddField("action", "in_doubt", models.BooleanField(db_default=False, default=False)),
        migrations.RunSQL(
            "UPDATE orchestrator_action SET in_doubt = true WHERE status = 'unknown' AND effect <> 'read'",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(guard(ACTION, ACTION_AFTER, "proposed"), guard(ACTION, ACTION_BEFORE, "proposed")),
        migrations.RunSQL(guard(STEP, STEP_AFTER, "pending"), guard(STEP, STEP_BEFORE, "pending")),
    ]
