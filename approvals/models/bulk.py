"""One person's act on several requests: what they chose is frozen, shown, confirmed, and done item by item."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from approvals.models.decision import ReasonCode
from approvals.models.request import ApprovalRequest
from approvals.statuses import BULK, BulkStatus
from audit.ids import new_id
from audit.lifecycle import Governed, Lifecycle


class BulkAct(models.TextChoices):
    CLAIM = "claim", "Claim"
    RELEASE = "release", "Release"
    ASSIGN = "assign", "Assign"
    REJECT = "reject", "Reject"
    APPROVE = "approve", "Approve"


class Outcome(models.TextChoices):
    """What became of one item. Empty while nothing has been tried."""

    LEFT_OUT = "left_out", "Left out"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"
    FAILED = "failed", "Failed"


class BulkOperation(Governed):
    """Previewed by its person, then confirmed by them. Nobody else sees or confirms it."""

    lifecycle: ClassVar[Lifecycle] = BULK
    status = models.CharField(max_length=10, choices=BulkStatus.choices, default=BulkStatus.PREVIEWED, editable=False)
    act = models.CharField(max_length=10, choices=BulkAct.choices)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    query = models.TextField(default="", help_text="The queue it was started from, to lead back there")
    reason_code = models.CharField(max_length=30, choices=ReasonCode.choices, default="", blank=True)
    note = models.TextField(default="", blank=True)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: Any = models.Manager()

    def __str__(self) -> str:
        return f"{self.get_act_display()} in bulk"

    def get_absolute_url(self) -> str:
        return reverse("approval_bulk", args=[self.pk])


class BulkItem(models.Model):
    """One chosen request, with the digest and revision that the preview shows."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    operation = models.ForeignKey(BulkOperation, on_delete=models.CASCADE, related_name="items")
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="+")
    place = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default="", blank=True)
    why = models.TextField(default="", blank=True)
    at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_bulk_item_per_operation_and_request", fields=["operation", "request"]),
            models.CheckConstraint(
                name="bulk_item_has_a_time_iff_it_has_an_outcome",
                condition=Q(outcome="", at__isnull=True) | (~Q(outcome="") & Q(at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}: {self.outcome or 'to do'}"
