"""The database refuses every edge that the lifecycle tables do not list, and every change of append-only rows."""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARDED = [
    (
        "orchestrator_execution",
        [
            "dead_lettered>cancelled",
            "dead_lettered>running",
            "queued>cancelled",
            "queued>running",
            "queued>timed_out",
            "running>cancelled",
            "running>dead_lettered",
            "running>failed",
            "running>succeeded",
            "running>timed_out",
            "running>waiting",
            "waiting>cancelled",
            "waiting>dead_lettered",
            "waiting>failed",
            "waiting>running",
            "waiting>succeeded",
            "waiting>timed_out",
        ],
        ["queued"],
    ),
    (
        "orchestrator_step",
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
            "system_error>awaiting_approval",
            "system_error>dead_letter",
            "system_error>scheduled",
            "unknown_outcome>cancelled",
            "unknown_outcome>dead_letter",
            "unknown_outcome>pending",
        ],
        ["pending"],
    ),
    (
        "orchestrator_attempt",
        ["running>failed", "running>lost", "running>parked", "running>released", "running>succeeded"],
        ["running"],
    ),
    (
        "orchestrator_action",
        [
            "failed>granted",
            "failed>void",
            "granted>expired",
            "granted>redeemed",
            "granted>void",
            "granted>withdrawn",
            "held>expired",
            "held>granted",
            "held>rejected",
            "held>void",
            "held>withdrawn",
            "proposed>denied",
            "proposed>granted",
            "proposed>held",
            "redeemed>failed",
            "redeemed>succeeded",
            "redeemed>unknown",
            "succeeded>undone",
            "unknown>failed",
            "unknown>granted",
            "unknown>succeeded",
        ],
        ["proposed"],
    ),
    (
        "orchestrator_deadletter",
        ["open>discarded", "open>redriven", "redriven>discarded", "redriven>fixed", "redriven>open"],
        ["open"],
    ),
    (
        "orchestrator_tool",
        ["active>retired", "draft>active", "draft>retired"],
        ["draft"],
    ),
    (
        "orchestrator_agent",
        ["active>retired", "draft>active", "draft>retired"],
        ["draft"],
    ),
]
APPEND_ONLY = ["orchestrator_release"]

GUARDS = [guard_sql(*row) for row in GUARDED] + [
    (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION append_only()",
        f"DROP TRIGGER {table}_append_only ON {table}",
    )
    for table in APPEND_ONLY
]


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0001_initial"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(forward, reverse) for forward, reverse in GUARDS]
