"""What exhausted its retries, as a structured failure record: which component, who owns it, what to do."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from audit import scope
from audit.actors import Actor
from audit.lifecycle import Governed, Lifecycle
from orchestrator.models.execution import Execution, Step, stream_of
from orchestrator.statuses import DEAD_LETTER, DeadLetterStatus


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    def visible_to(self, actor: Actor) -> "DeadLetterQuerySet":
        return self.filter(unit_id__in=scope.unit_ids(actor, "view"))

    def open(self) -> "DeadLetterQuerySet":
        return self.filter(status=DeadLetterStatus.OPEN)

    def newest_first(self) -> "DeadLetterQuerySet":
        return self.order_by("-last_at", "-id")


class DeadLetter(Governed):
    """One per step. Redriving keeps it; it is fixed only when the step was seen to succeed."""

    lifecycle: ClassVar[Lifecycle] = DEAD_LETTER
    status = models.CharField(
        max_length=20, choices=DeadLetterStatus.choices, default=DeadLetterStatus.OPEN, editable=False
    )
    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="dead_letters")
    step = models.OneToOneField(Step, on_delete=models.PROTECT, related_name="dead_letter")
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    component = models.TextField(help_text="The tool or agent that failed")
    owner = models.TextField()
    runbook = models.TextField()
    failure_class = models.TextField()
    message = models.TextField()
    fingerprint = models.CharField(max_length=64)
    attempts = models.PositiveSmallIntegerField()
    evidence = models.JSONField(default=dict)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    objects: Any = DeadLetterQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(name="dead_letter_unit", fields=["unit_id", "status", "-last_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.component}: {self.message[:80]}"

    def get_absolute_url(self) -> str:
        return reverse("dead_letter", args=[self.pk])

    @property
    def stream(self) -> str:
        return stream_of(self.execution_id)
