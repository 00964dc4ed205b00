"""Who may sign in whose place, and who is away. Both have an end, and both can be taken back before it."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.lookups import IsNull

from audit.ids import new_id


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def running(self) -> "DelegationQuerySet":
        return self.filter(revoked_at__isnull=True, starts_at__lte=Now(), ends_at__gt=Now())

    def not_over(self) -> "DelegationQuerySet":
        return self.filter(revoked_at__isnull=True, ends_at__gt=Now())


class Delegation(models.Model):
    """One reviewer's right to sign in one unit (and below it), lent to one person for a while. It cannot be lent on."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    delegator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    delegator_name = models.TextField()
    delegate = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    delegate_name = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects: Any = DelegationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="delegation_ends_after_it_starts", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(name="delegation_is_to_another_person", condition=~Q(delegator=F("delegate"))),
        ]

    def __str__(self) -> str:
        return f"{self.delegate_name} for {self.delegator_name} in {self.unit_title}"

    @property
    def stream(self) -> str:
        return f"delegation:{self.pk}"


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def running(self) -> "AbsenceQuerySet":
        return self.filter(revoked_at__isnull=True, away_from__lte=Now(), away_until__gt=Now())

    def in_force(self) -> "AbsenceQuerySet":
        """For each person the one that counts of those that run: one with a stand-in, else any; the one that lasts longest."""
        nobody = IsNull(F("stand_in_id"), True)
        return self.running().order_by("person_id", nobody, "-away_until", "id").distinct("person_id")

    def not_over(self) -> "AbsenceQuerySet":
        return self.filter(revoked_at__isnull=True, away_until__gt=Now())


class Absence(models.Model):
    """Somebody is away; what was assigned to them goes to their stand-in meanwhile. It opens nobody a right."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    stand_in = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    stand_in_name = models.TextField(default="", blank=True)
    away_from = models.DateTimeField()
    away_until = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects: Any = AbsenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="absence_ends_after_it_starts", condition=Q(away_until__gt=F("away_from"))),
            models.CheckConstraint(
                name="absence_is_covered_by_another_person",
                condition=Q(stand_in__isnull=True) | ~Q(stand_in=F("person")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_name} is away"

    @property
    def stream(self) -> str:
        return f"absence:{self.pk}"
