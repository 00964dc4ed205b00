"""A test item: a request that administrators wrote, to learn whether reviewers notice. Nothing is ever carried out for it."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from approvals.models.request import ApprovalRequest
from approvals.statuses import SEEDED_ITEM, SeededItemStatus
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits

SHORTEST_HINT = 10


class Expected(models.TextChoices):
    BAD = "bad", "Known bad: it has to be refused"
    GOOD = "good", "Known good: it has to be approved"


class SeededItemQuerySet(OfUnits["SeededItem"]):
    def waiting(self) -> "SeededItemQuerySet":
        return self.filter(status=SeededItemStatus.WAITING)


class SeededItem(Governed):
    """What stands behind a test request: what is right, what to look for, and how it went. Secret until somebody decides."""

    lifecycle: ClassVar[Lifecycle] = SEEDED_ITEM
    status = models.CharField(
        max_length=10, choices=SeededItemStatus.choices, default=SeededItemStatus.WAITING, editable=False
    )
    request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="seeded")
    unit_id = models.UUIDField()
    source_id = models.UUIDField(help_text="The past action whose arguments were copied")
    expected = models.CharField(max_length=4, choices=Expected.choices)
    hint = models.CharField(max_length=500, validators=[MinLengthValidator(SHORTEST_HINT)])
    # Each value that was changed: label, before, after.
    changes: Any = models.JSONField(default=list)
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    written_by_name = models.TextField()
    written_at = models.DateTimeField(db_default=Now())
    # What the reviewer did: approved, rejected, edited, answered or asked; empty when nobody did anything.
    act = models.CharField(max_length=10, default="", blank=True)
    ended_at = models.DateTimeField(null=True)

    objects: Any = SeededItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="test_item_has_an_end_iff_it_waits_no_more",
                condition=Q(status=SeededItemStatus.WAITING, ended_at=None)
                | (~Q(status=SeededItemStatus.WAITING) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(name="test_item_by_time", fields=["unit_id", "-written_at", "-id"])]

    def __str__(self) -> str:
        return f"test item {self.request.title}"
