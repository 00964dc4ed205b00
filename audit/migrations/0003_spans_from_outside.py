"""Spans as OpenTelemetry exporters send them: whose they are, their own ids, what they wait for, and what each unit has sent.

Every new column has a constant default, so the table is not rewritten; rows that are there already are checked without
keeping anybody from writing, and the indexes are built while the site runs.
"""

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Now

UNIQUE = models.UniqueConstraint(
    name="one_span_per_id_of_an_agent_in_a_trace",
    fields=["unit_id", "trace_id", "external_id", "agent"],
    condition=~Q(external_id=""),
)
INDEX = """
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_span_per_id_of_an_agent_in_a_trace
ON audit_span (unit_id, trace_id, external_id, agent) WHERE NOT (external_id = '')
"""
NO_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS one_span_per_id_of_an_agent_in_a_trace"
CHECKS = [
    models.CheckConstraint(
        name="span_starts_before_it_ends", condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at"))
    ),
    models.CheckConstraint(
        name="span_is_not_its_own_parent", condition=Q(parent_id__isnull=True) | ~Q(parent_id=F("id"))
    ),
]
EMPTY = models.Value([], models.JSONField())


def column(name, field):
    return migrations.AddField(model_name="span", name=name, field=field)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0002_append_only")]
    operations = [
        column("agent", models.TextField(default="", db_default="")),
        column("external_id", models.CharField(max_length=16, default="", db_default="")),
        column("parent_external_id", models.CharField(max_length=16, default="", db_default="")),
        column("events", models.JSONField(default=list, db_default=EMPTY)),
        column("links", models.JSONField(default=list, db_default=EMPTY)),
        column("dropped", models.PositiveIntegerField(default=0, db_default=0)),
        migrations.CreateModel(
            name="SpanUse",
            fields=[
                ("unit_id", models.UUIDField(primary_key=True, serialize=False)),
                ("minute_at", models.DateTimeField(db_default=Now())),
                ("minute_spans", models.BigIntegerField(default=0)),
                ("day_at", models.DateTimeField(db_default=Now())),
                ("day_spans", models.BigIntegerField(default=0)),
                ("day_bytes", models.BigIntegerField(default=0)),
            ],
        ),
        *(AddConstraintNotValid(model_name="span", constraint=check) for check in CHECKS),
        *(ValidateConstraint(model_name="span", name=check.name) for check in CHECKS),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(INDEX, NO_INDEX)],
            state_operations=[migrations.AddConstraint(model_name="span", constraint=UNIQUE)],
        ),
        AddIndexConcurrently(
            model_name="span",
            index=models.Index(
                name="span_waits_for_its_parent",
                fields=["trace_id", "parent_external_id"],
                condition=Q(parent_id__isnull=True) & ~Q(parent_external_id=""),
            ),
        ),
    ]
