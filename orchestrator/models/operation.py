"""One act on many dead letters: the set frozen, shown, confirmed, and then done one by one with what was seen of each."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from orchestrator.models.dead_letter import DeadLetter, DiscardCode
from orchestrator.models.failure_group import FailureGroup
from orchestrator.statuses import ITEM, OPERATION, ItemStatus, OperationStatus

# What is under way, or may be at any moment.
LIVE = [OperationStatus.RUNNING, OperationStatus.PAUSED, OperationStatus.HALTED]


class OperationAct(models.TextChoices):
    REDRIVE = "redrive", "Redrive"
    DISCARD = "discard", "Discard"


class OperationQuerySet(OfUnits["Operation"]):
    def unfinished(self) -> "OperationQuerySet":
        """Something of it is still to be done, or to be seen: also of one that was cancelled meanwhile."""
        left = OperationItem.objects.filter(
            operation=models.OuterRef("pk"), status__in=[ItemStatus.WAITING, ItemStatus.UNDER_WAY]
        )
        ended_early = Q(status__in=[*LIVE, OperationStatus.CANCELLED], confirmed_at__isnull=False)
        return self.filter(Q(status=OperationStatus.RUNNING) | (ended_early & models.Exists(left)))


class Operation(Governed):
    """Its set never changes: letters that fail afterwards are not in it, and nothing matches anew."""

    lifecycle: ClassVar[Lifecycle] = OPERATION
    status = models.CharField(
        max_length=20, choices=OperationStatus.choices, default=OperationStatus.PREVIEWED, editable=False
    )
    act = models.CharField(max_length=10, choices=OperationAct.choices)
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    group = models.ForeignKey(FailureGroup, on_delete=models.PROTECT, related_name="operations")
    chosen = models.CharField(max_length=10, help_text="one, selected or all")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    second = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    second_name = models.TextField(default="")
    size = models.PositiveIntegerField(help_text="Letters it is about, without those left out")
    samples = models.JSONField(default=list, help_text="Three letters of the set, drawn when it was frozen")
    per_minute = models.PositiveIntegerField(default=60)
    stop_percent = models.PositiveSmallIntegerField(default=0, help_text="0: at the first failure")
    # Failures that a person has seen and let go on from: they no longer count for the stop condition.
    accepted_failures = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    reason_code = models.CharField(max_length=20, choices=DiscardCode.choices, default="", blank=True)
    note = models.TextField(default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    why = models.TextField(default="")

    objects: Any = OperationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="operation_runs_only_when_confirmed",
                condition=Q(status__in=["previewed", "cancelled"]) | Q(confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="discarding_says_why",
                condition=~Q(act="discard") | Q(status__in=["previewed", "cancelled"]) | ~Q(reason_code=""),
            ),
            models.CheckConstraint(
                name="second_person_is_another_one", condition=Q(second__isnull=True) | ~Q(second=models.F("person"))
            ),
        ]
        indexes = [
            models.Index(name="operation_group", fields=["group", "-created_at"]),
            models.Index(
                name="operation_unfinished",
                fields=["created_at"],
                condition=Q(status__in=["running", "paused", "halted", "cancelled"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_act_display()} {self.size} letter{'' if self.size == 1 else 's'}"

    def get_absolute_url(self) -> str:
        return reverse("operation", args=[self.pk])

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


class OperationItem(Governed):
    """One letter of the set. A redrive of it is told from any other by the letter's count of redrives."""

    lifecycle: ClassVar[Lifecycle] = ITEM
    status = models.CharField(max_length=20, choices=ItemStatus.choices, default=ItemStatus.WAITING, editable=False)
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="items", db_index=False)
    letter = models.ForeignKey(DeadLetter, on_delete=models.PROTECT, related_name="items")
    unit_id = models.UUIDField()
    place = models.PositiveIntegerField()
    stage = models.PositiveSmallIntegerField(help_text="1: the first one, 2: the next ten, 3: the rest; 0: left out")
    redrive = models.PositiveIntegerField(null=True)
    same_cause = models.BooleanField(null=True, help_text="Whether a failure was the old one again")
    why = models.TextField(default="")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: Any = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_item_per_operation_and_letter", fields=["operation", "letter"]),
            models.UniqueConstraint(name="one_item_per_place", fields=["operation", "place"]),
            models.UniqueConstraint(
                name="one_letter_is_under_way_once", fields=["letter"], condition=Q(status=ItemStatus.UNDER_WAY)
            ),
        ]
        indexes = [models.Index(name="item_next", fields=["operation", "status", "place"])]

    def __str__(self) -> str:
        return f"{self.place} of {self.operation_id}"

    @property
    def stream(self) -> str:
        """What happens to its items belongs to an operation's own story."""
        return f"operation:{self.operation_id}"
