"""What happened, append-only and hash-chained per stream. No foreign keys: evidence outlives what it speaks of."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from audit import scope, sealing
from audit.actors import Actor
from audit.ids import new_id

# PostgreSQL keeps times that Python cannot read: infinity, and years before 1 or after 9999. No clock has said them.
READABLE = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    def visible_to(self, actor: Actor, *, site: bool = False) -> "AuditEventQuerySet":
        """Events of the units they audit; those of no unit (sign-ins, refusals) only for a reader of the site's trail."""
        in_units = Q(unit_id__in=scope.unit_ids(actor, "audit"))
        return self.filter(sealing.unsealed(actor), in_units | Q(unit_id=None) if site else in_units)

    def about(self, object_id: UUID) -> "AuditEventQuerySet":
        return self.filter(object_id=object_id)

    def oldest_first(self) -> "AuditEventQuerySet":
        return self.order_by("stream", "seq")

    def newest_first(self) -> "AuditEventQuerySet":
        return self.order_by("-at", "-id")


class AuditStream(models.Model):
    """The head of one chain. Locked by whoever appends, so events of a stream have one order."""

    key = models.TextField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    head = models.BinaryField(default=bytes)

    def __str__(self) -> str:
        return f"{self.key} at {self.seq}"


class AuditEvent(models.Model):
    """Rows are written by audit_append() only; UPDATE and DELETE raise in the database."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    stream = models.TextField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    event = models.TextField()
    actor = models.TextField()
    actor_name = models.TextField()
    object_id = models.UUIDField(null=True)
    unit_id = models.UUIDField(null=True)
    before = models.TextField(default="")
    after = models.TextField(default="")
    why = models.TextField(default="")
    data = models.TextField(default="")
    hash = models.BinaryField()

    objects: Any = AuditEventQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_event_per_place_in_a_stream", fields=["stream", "seq"])]
        indexes = [
            models.Index(name="audit_event_object", fields=["object_id", "at"]),
            models.Index(name="audit_event_unit", fields=["unit_id", "-at", "-id"]),
            models.Index(name="audit_event_alert", fields=["unit_id", "-at"], condition=Q(event__startswith="alert.")),
            models.Index(
                name="audit_event_refused",
                fields=["unit_id", "at"],
                include=["why", "actor_name"],
                condition=Q(event="request.refused", unit_id__isnull=False),
            ),
            models.Index(name="audit_event_doubt", fields=["-at"], condition=Q(event="action.unknown")),
        ]

    def __str__(self) -> str:
        return f"{self.stream}#{self.seq} {self.event}"
