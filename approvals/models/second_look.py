"""The second look: a decided request, judged again by somebody who does not know how it was decided."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from approvals.models.decision import ReasonCode, Verdict
from approvals.models.request import ApprovalRequest
from approvals.statuses import SECOND_LOOK, SecondLookStatus
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits


class DrawSeed(models.Model):
    """The secret of one day's draws. Its commitment is in the trail before the day begins; the seed is told after it."""

    day = models.DateField(primary_key=True)
    seed = models.CharField(max_length=64)
    commitment = models.CharField(max_length=64)
    committed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"draws of {self.day}"


class SecondLookQuerySet(OfUnits["SecondLook"]):
    def open(self) -> "SecondLookQuerySet":
        return self.filter(status=SecondLookStatus.OPEN)

    def running(self) -> "SecondLookQuerySet":
        """Open, and in time by the database's clock."""
        return self.open().filter(due_at__gt=Now())

    def overdue(self) -> "SecondLookQuerySet":
        return self.open().filter(due_at__lte=Now())


class SecondLook(Governed):
    """Drawn when its request was decided. What it says changes nothing about the act; it is compared, and counted."""

    lifecycle: ClassVar[Lifecycle] = SECOND_LOOK
    status = models.CharField(
        max_length=10, choices=SecondLookStatus.choices, default=SecondLookStatus.OPEN, editable=False
    )
    request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="second_look")
    unit_id = models.UUIDField()
    # What was decided, as the look is compared with it.
    first_verdict = models.CharField(max_length=10, choices=Verdict.choices)
    first_codes = ArrayField(models.CharField(max_length=30))
    # Groups of which somebody has to be; null: any reviewer may look.
    open_to = ArrayField(models.TextField(), null=True)
    # Accounts of everybody who had a hand in the request, or has asked to see how it was decided.
    barred = ArrayField(models.BigIntegerField())
    # The reviewer group that is told when the two disagree; empty: the administrators.
    tells = models.TextField(default="", blank=True)
    opened_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField(default="")
    verdict = models.CharField(max_length=10, choices=Verdict.choices, default="")
    reason_code = models.CharField(max_length=30, choices=ReasonCode.choices, default="")
    note = models.TextField(default="", blank=True)
    answers = models.JSONField(default=dict)
    viewed = models.JSONField(default=dict)
    looked_at = models.DateTimeField(null=True)

    objects: Any = SecondLookQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="second_look_has_a_verdict_iff_somebody_looked",
                condition=Q(
                    status__in=[SecondLookStatus.OPEN, SecondLookStatus.EXPIRED],
                    person=None,
                    looked_at=None,
                    verdict="",
                )
                | (
                    Q(status__in=[SecondLookStatus.AGREED, SecondLookStatus.DISAGREED])
                    & Q(person__isnull=False, looked_at__isnull=False)
                    & ~Q(verdict="")
                ),
            ),
            models.CheckConstraint(
                name="second_look_agrees_iff_the_verdicts_are_one",
                condition=~Q(status__in=[SecondLookStatus.AGREED, SecondLookStatus.DISAGREED])
                | Q(status=SecondLookStatus.AGREED, verdict=models.F("first_verdict"))
                | (Q(status=SecondLookStatus.DISAGREED) & ~Q(verdict=models.F("first_verdict"))),
            ),
        ]
        indexes = [
            models.Index(
                name="second_look_open", fields=["unit_id", "due_at"], condition=Q(status=SecondLookStatus.OPEN)
            ),
            models.Index(name="second_look_by_time", fields=["unit_id", "-opened_at", "-id"]),
        ]

    def __str__(self) -> str:
        return f"second look at {self.request.title}"

    def get_absolute_url(self) -> str:
        return reverse("second_look", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.status == SecondLookStatus.OPEN

    @property
    def is_done(self) -> bool:
        """Somebody has looked: both verdicts may be shown beside each other."""
        return self.status in {SecondLookStatus.AGREED, SecondLookStatus.DISAGREED}

    @property
    def first_reasons(self) -> str:
        """In words, each once: two who signed may have given the same."""
        words = dict(ReasonCode.choices)
        return "; ".join(dict.fromkeys(str(words.get(code, code)) for code in self.first_codes))
