"""One timed part of a trace as somebody outside reported it. Our own parts are read from the rows they are about."""

from typing import Any

from django.db import models

from audit import scope
from audit.actors import Actor
from audit.ids import new_id


class SpanQuerySet(models.QuerySet["Span"]):
    def visible_to(self, actor: Actor) -> "SpanQuerySet":
        return self.filter(unit_id__in=scope.unit_ids(actor, "view"))


class Span(models.Model):
    """`kind` is call, model or whatever the reporter says. `status` is ok, error or refused."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    trace_id = models.UUIDField()
    parent_id = models.UUIDField(null=True)
    unit_id = models.UUIDField()
    kind = models.TextField()
    name = models.TextField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    status = models.TextField(default="ok")
    attributes = models.JSONField(default=dict)

    objects: Any = SpanQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(name="span_trace", fields=["trace_id", "started_at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
