"""A step may wait for a stop. The guard of the steps' table is replaced by one that knows the new edges."""

from django.db import migrations, models

from audit.lifecycle import guard_sql

TABLE = "orchestrator_step"
BEFORE = [
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
]
AFTER = sorted([*BEFORE, "in_progress>stopped", "stopped>cancelled", "stopped>pending"])


def guard(edges):
    make, drop = guard_sql(TABLE, edges, ["pending"])
    return f"{drop}; {make}"


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0005_lifecycle_of_questions"), ("approvals", "0015_stops_lifecycle")]
    operations = [
        migrations.AlterField(
            model_name="step",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("in_progress", "In Progress"),
                    ("success", "Success"),
                    ("business_error", "Business Error"),
                    ("system_error", "System Error"),
                    ("scheduled", "Scheduled"),
                    ("dead_letter", "Dead Letter"),
                    ("awaiting_approval", "Awaiting Approval"),
                    ("budget_hold", "Budget Hold"),
                    ("stopped", "Stopped"),
                    ("unknown_outcome", "Unknown Outcome"),
                    ("cancelled", "Cancelled"),
                    ("skipped", "Skipped"),
                ],
                default="pending",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.RunSQL(guard(AFTER), guard(BEFORE)),
    ]
