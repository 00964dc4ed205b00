"""What needs somebody: one row per kind, subject and unit, for as long as there is anything to say about it."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from audit.actors import Actor
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from orchestrator.statuses import ALERT, AlertStatus


class Severity(models.TextChoices):
    WARNING = "warning"
    CRITICAL = "critical"  # told at once, whatever somebody's pace and quiet hours


class AlertQuerySet(OfUnits["Alert"]):
    def active(self) -> "AlertQuerySet":
        return self.exclude(status=AlertStatus.RESOLVED)

    def owned_by(self, actor: Actor) -> "AlertQuerySet":
        """By the person, or by a group they are in."""
        return self.filter(Q(owner_person_id=actor.user_id) | Q(owner_group__user__id=actor.user_id)).distinct()

    def unheard(self) -> "AlertQuerySet":
        """Open, and not muted: somebody should say that they know."""
        return self.filter(Q(muted_until=None) | Q(muted_until__lte=Now()), status=AlertStatus.OPEN)


class Alert(Governed):
    """Opened, kept up to date and resolved by the rule that sees it; only people acknowledge, hand over and mute it.

    `subject` is what the alert is about in the rule's own words: with kind and unit it is the alert's identity, so what
    returns is the same alert again, with its history.
    """

    lifecycle: ClassVar[Lifecycle] = ALERT
    status = models.CharField(max_length=20, choices=AlertStatus.choices, default=AlertStatus.OPEN, editable=False)
    rule = models.CharField(max_length=40)
    kind = models.CharField(max_length=60)
    subject = models.TextField()
    title = models.TextField()
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    severity = models.CharField(max_length=10, choices=Severity.choices)
    owner_person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+"
    )
    owner_group = models.ForeignKey(Group, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+")
    owner_name = models.TextField(default="")
    runbook = models.TextField(default="")
    # A path of this site.
    evidence = models.TextField(default="")
    # What the rule saw last, in a sentence, and how many times or things.
    detail = models.TextField(default="")
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    acknowledged_name = models.TextField(default="")
    acknowledged_at = models.DateTimeField(null=True)
    muted_until = models.DateTimeField(null=True)
    # When its owner is told again if nobody has acknowledged it by then.
    remind_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    why = models.TextField(default="")

    objects: Any = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_alert_per_kind_subject_and_unit", fields=["unit_id", "kind", "subject"]),
            models.CheckConstraint(
                name="acknowledged_alert_says_by_whom",
                condition=~Q(status=AlertStatus.ACKNOWLEDGED) | Q(acknowledged_at__isnull=False),
            ),
            models.CheckConstraint(
                name="only_a_resolved_alert_says_since_when_it_is_over",
                condition=Q(status=AlertStatus.RESOLVED, resolved_at__isnull=False)
                | (~Q(status=AlertStatus.RESOLVED) & Q(resolved_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="alert_has_one_owner", condition=Q(owner_person__isnull=True) | Q(owner_group__isnull=True)
            ),
        ]
        indexes = [
            models.Index(name="alert_unit", fields=["unit_id", "status", "-last_at", "-id"]),
            models.Index(name="alert_reminder", fields=["remind_at"], condition=Q(status=AlertStatus.OPEN)),
            models.Index(name="alert_rule", fields=["rule", "status"]),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("alert", args=[self.pk])

    @property
    def words(self) -> str:
        """Its kind, for where no text from outside belongs."""
        return self.kind.replace("_", " ").capitalize()

    @property
    def is_active(self) -> bool:
        return self.status != AlertStatus.RESOLVED
