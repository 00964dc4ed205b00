"""How far our own parts were sent to the trace sink, one row while it is switched on; and what the sink turned down."""

from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import new_id

# Before every line of a transaction.
START = UUID(int=0)


class TraceExport(models.Model):
    """`written_in` and `last_id` are the place in the trail of closed transactions: everything up to it was taken by the sink."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    written_in = models.BigIntegerField()
    last_id = models.UUIDField(default=START)
    # Everything that had ended by this moment was sent.
    caught_up_at = models.DateTimeField(db_default=Now())
    # One worker host at a time sends; when it dies, another one takes over.
    holder = models.UUIDField(null=True)
    held_until = models.DateTimeField(db_default=Now())
    failures = models.PositiveIntegerField(default=0, db_default=0)
    next_try_at = models.DateTimeField(db_default=Now())
    sent = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(name="one_row_says_how_far_traces_are_sent", condition=Q(id=1)),
        ]

    def __str__(self) -> str:
        return f"sent up to {self.caught_up_at}"


class TraceSetAside(models.Model):
    """A batch that the sink turned down for good: `parts` lines of the trail behind a place. Gone once it was taken after all."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    written_in = models.BigIntegerField()
    last_id = models.UUIDField()
    until = models.BigIntegerField()
    parts = models.PositiveIntegerField()
    spans = models.PositiveIntegerField()
    # What the sink answered, as HTTP counts.
    status = models.PositiveSmallIntegerField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(name="a_batch_is_set_aside_once", fields=["written_in", "last_id"])]

    def __str__(self) -> str:
        return f"{self.spans} spans, answered {self.status}"
