"""What exhausted its retries, as a structured failure record: which component, who owns it, what to do."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from orchestrator.models.execution import Execution, Step, stream_of
from orchestrator.models.failure_group import FailureGroup
from orchestrator.statuses import DEAD_LETTER, DeadLetterStatus


class DiscardCode(models.TextChoices):
    """Why work is given up, in a word that can be counted."""

    DONE_BY_HAND = "done_by_hand", "Done by hand"
    DUPLICATE = "duplicate", "A duplicate of other work"
    NOT_NEEDED = "not_needed", "No longer needed"
    WRONG_INPUT = "wrong_input", "Should never have been asked for"
    TEST_DATA = "test_data", "Test data"
    OTHER = "other", "Other: say what"


class DeadLetterQuerySet(OfUnits["DeadLetter"]):
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
    # Null only until the sweep has filed it: for letters that an older version wrote while this one was rolled out.
    group = models.ForeignKey(FailureGroup, null=True, on_delete=models.PROTECT, related_name="letters", db_index=False)
    # How often it was redriven. Whoever started one tells its outcome from that of the next by this number.
    redrives = models.PositiveIntegerField(default=0, db_default=0)
    discard_code = models.CharField(max_length=20, choices=DiscardCode.choices, default="", db_default="", blank=True)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())

    objects: Any = DeadLetterQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(name="dead_letter_unit", fields=["unit_id", "status", "-last_at", "-id"]),
            models.Index(name="dead_letter_group", fields=["group", "status", "-last_at", "-id"]),
            models.Index(name="dead_letter_last", fields=["last_at"]),
            models.Index(
                name="dead_letter_redriven", fields=["last_at"], condition=Q(status=DeadLetterStatus.REDRIVEN)
            ),
            models.Index(name="dead_letter_unfiled", fields=["id"], condition=Q(group__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.message[:80]}"

    def get_absolute_url(self) -> str:
        return reverse("dead_letter", args=[self.pk])

    @property
    def stream(self) -> str:
        return stream_of(self.execution_id)
