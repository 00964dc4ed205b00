"""One timed part of a trace as somebody outside reported it. Our own parts are read from the rows they are about."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import new_id
from audit.scope import OfUnits


class Span(models.Model):
    """`kind` is call, model or whatever the reporter says. `status` is ok, error, refused, or running while it has no end.

    Parents arrive late or never: `parent_external_id` is what the reporter said, `parent_id` the part it was found to be.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trace_id = models.UUIDField()
    parent_id = models.UUIDField(null=True)
    unit_id = models.UUIDField()
    # The agent whose token brought it. Empty: told with the outcome of a call (orchestrator/gate/report.py).
    agent = models.TextField(default="", db_default="")
    # OpenTelemetry's ids: eight bytes in lower-case hex.
    external_id = models.CharField(max_length=16, default="", db_default="")
    parent_external_id = models.CharField(max_length=16, default="", db_default="")
    kind = models.TextField()
    name = models.TextField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    status = models.TextField(default="ok")
    attributes = models.JSONField(default=dict)
    events = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    links = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    # Attributes, events and links that were left out, by the reporter or because they were too much.
    dropped = models.PositiveIntegerField(default=0, db_default=0)

    objects: Any = OfUnits.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_span_per_id_of_an_agent_in_a_trace",
                fields=["unit_id", "trace_id", "external_id", "agent"],
                condition=~Q(external_id=""),
            ),
            models.CheckConstraint(
                name="span_starts_before_it_ends",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=models.F("started_at")),
            ),
            models.CheckConstraint(
                name="span_is_not_its_own_parent",
                condition=Q(parent_id__isnull=True) | ~Q(parent_id=models.F("id")),
            ),
        ]
        indexes = [
            models.Index(name="span_trace", fields=["trace_id", "started_at"]),
            models.Index(
                name="span_waits_for_its_parent",
                fields=["trace_id", "parent_external_id"],
                condition=Q(parent_id__isnull=True) & ~Q(parent_external_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class SpanUse(models.Model):
    """What a unit has sent in the minute and in the day under way. Whoever brings spans of the unit holds this row."""

    unit_id = models.UUIDField(primary_key=True)
    minute_at = models.DateTimeField(db_default=Now())
    minute_spans = models.BigIntegerField(default=0)
    day_at = models.DateTimeField(db_default=Now())
    day_spans = models.BigIntegerField(default=0)
    day_bytes = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.day_spans} spans today"
