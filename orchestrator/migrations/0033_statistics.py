"""Autovacuum looks at what queries ask about, not at payloads: sorting thirty thousand JSON values of steps took a second
of a processor each time the table had grown by a tenth, and no condition of ours is about a whole value.
"""

from django.db import migrations

NEVER_ASKED = {
    "orchestrator_step": ("spec", "input", "why"),
    "orchestrator_execution": ("input", "output", "envelope", "unit_title", "requester_name", "execution_hash", "why"),
    "orchestrator_attempt": ("evidence", "message"),
}
# Only whether there is one is asked: a few hundred rows tell.
SELDOM_ASKED = {"orchestrator_step": ("output",)}


def statistics(columns: dict[str, tuple[str, ...]], target: str) -> list[str]:
    """A lock that stands in nobody's way, and no row touched."""
    return [
        f"ALTER TABLE {table} " + ", ".join(f"ALTER COLUMN {name} SET STATISTICS {target}" for name in names)
        for table, names in columns.items()
    ]


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0032_trace_set_aside")]
    operations = [
        migrations.RunSQL(
            [*statistics(NEVER_ASKED, "0"), *statistics(SELDOM_ASKED, "1")],
            [*statistics(NEVER_ASKED, "DEFAULT"), *statistics(SELDOM_ASKED, "DEFAULT")],
        )
    ]
