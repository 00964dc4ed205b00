"""Dead letters of one cause in one business unit: what is triaged together."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from orchestrator.models.release import Release
from orchestrator.statuses import FAILURE_GROUP, GroupStatus

# A person has to look at these.
ACTIVE = [GroupStatus.NEW, GroupStatus.ONGOING, GroupStatus.ESCALATING, GroupStatus.REGRESSED]


class FailureGroupQuerySet(OfUnits["FailureGroup"]):
    def active(self) -> "FailureGroupQuerySet":
        return self.filter(status__in=ACTIVE)


class FailureGroup(Governed):
    """A group never crosses the wall between units: what a person sees of it does not depend on units they may not see.

    It counts nothing. How many letters it has is asked of the letters, so no total can drift, and a flood of equal
    failures does not queue up for one row.
    """

    lifecycle: ClassVar[Lifecycle] = FAILURE_GROUP
    status = models.CharField(max_length=20, choices=GroupStatus.choices, default=GroupStatus.NEW, editable=False)
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    fingerprint = models.CharField(max_length=64)
    failure_class = models.TextField()
    component = models.TextField()
    step_key = models.TextField()
    pattern = models.TextField(help_text="The message with everything that differs from letter to letter left out")
    owner = models.TextField(default="")
    runbook = models.TextField(default="")
    ticket = models.TextField(default="")
    taken_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    taken_by_name = models.TextField(default="")
    taken_at = models.DateTimeField(null=True)
    parked_until = models.DateTimeField(null=True)
    parked_above = models.PositiveIntegerField(null=True)
    fixed_in = models.ForeignKey(Release, null=True, on_delete=models.PROTECT, related_name="+")
    fixed_at = models.DateTimeField(null=True)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    split_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="splits")
    split_by = models.CharField(max_length=20, default="")
    split_value = models.TextField(default="")
    first_at = models.DateTimeField(db_default=Now())
    # When it last failed, as the sweep last saw it: an order for the list, never a figure on a page.
    seen_at = models.DateTimeField(db_default=Now())
    why = models.TextField(default="")

    objects: Any = FailureGroupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_group_per_unit_and_cause",
                fields=["unit_id", "fingerprint"],
                condition=Q(split_from__isnull=True),
            ),
            models.UniqueConstraint(
                name="one_split_per_group_and_value",
                fields=["split_from", "split_by", "split_value"],
                condition=Q(split_from__isnull=False),
            ),
            models.CheckConstraint(
                name="merged_group_says_into_which",
                condition=Q(status=GroupStatus.MERGED, merged_into__isnull=False)
                | (~Q(status=GroupStatus.MERGED) & Q(merged_into__isnull=True)),
            ),
            models.CheckConstraint(
                name="parked_group_has_a_wake_up",
                condition=~Q(status=GroupStatus.PARKED) | Q(parked_until__isnull=False) | Q(parked_above__isnull=False),
            ),
            models.CheckConstraint(
                name="fixed_group_says_since_when", condition=~Q(status=GroupStatus.FIXED) | Q(fixed_at__isnull=False)
            ),
        ]
        indexes = [models.Index(name="failure_group_unit", fields=["unit_id", "status", "-seen_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.component} in {self.step_key}"

    def get_absolute_url(self) -> str:
        return reverse("failure_group", args=[self.pk])

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE
