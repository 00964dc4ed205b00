"""The whole list of edges of actions and steps, in one place: questions, answers and stops together."""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARDS = {
    "orchestrator_action": (
        [
            "failed>granted",
            "failed>void",
            "granted>expired",
            "granted>redeemed",
            "granted>void",
            "granted>withdrawn",
            "held>answered",
            "held>expired",
            "held>granted",
            "held>rejected",
            "held>sent_back",
            "held>void",
            "held>withdrawn",
            "proposed>denied",
            "proposed>granted",
            "proposed>held",
            "redeemed>failed",
            "redeemed>succeeded",
            "redeemed>unknown",
            "sent_back>expired",
            "sent_back>held",
            "sent_back>void",
            "sent_back>withdrawn",
            "succeeded>undone",
            "unknown>failed",
            "unknown>granted",
            "unknown>succeeded",
        ],
        ["proposed"],
    ),
    "orchestrator_step": (
        [
            "awaiting_approval>business_error",
            "awaiting_approval>cancelled",
            "awaiting_approval>pending",
            "awaiting_approval>success",
            "budget_hold>cancelled",
            "budget_hold>pending",
            "dead_letter>cancelled",
            "dead_letter>pending",
            "in_progress>awaiting_approval",
            "in_progress>budget_hold",
            "in_progress>business_error",
            "in_progress>cancelled",
            "in_progress>pending",
            "in_progress>stopped",
            "in_progress>success",
            "in_progress>system_error",
            "in_progress>unknown_outcome",
            "pending>budget_hold",
            "pending>business_error",
            "pending>cancelled",
            "pending>in_progress",
            "pending>skipped",
            "scheduled>cancelled",
            "scheduled>pending",
            "stopped>cancelled",
            "stopped>pending",
            "system_error>awaiting_approval",
            "system_error>dead_letter",
            "system_error>scheduled",
            "unknown_outcome>cancelled",
            "unknown_outcome>dead_letter",
            "unknown_outcome>pending",
        ],
        ["pending"],
    ),
}


def guard(table):
    """In one transaction: there is no moment in which the table has no guard. The way back keeps the wider list."""
    make, drop = guard_sql(table, *GUARDS[table])
    return migrations.RunSQL(f"{drop}; {make}", migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0008_action_bypass"), ("approvals", "0024_lifecycles_together")]
    operations = [guard(table) for table in GUARDS]
