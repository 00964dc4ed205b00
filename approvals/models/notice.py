"""What people and other systems are told: the notice, each delivery of it, and how each of them wants it.

A notice holds a title, a due time and a path. No argument, payload or prompt of the act is copied into it.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from approvals.models.request import ApprovalRequest
from audit.ids import new_id


class NoticeKind(models.TextChoices):
    """What there is to tell, and the first words of the message."""

    WAITING = "waiting", "Waits for you"
    REMINDER = "reminder", "Still waits for you"
    ESCALATED = "escalated", "Was escalated to you"
    OVERDUE = "overdue", "Is overdue"
    ASSIGNED = "assigned", "Was assigned to you"
    DECIDED = "decided", "Was decided"
    EMERGENCY = "emergency", "Was signed by one person alone"
    DISAGREED = "disagreed", "Was judged differently at the second look"
    STOPPED = "stopped", "Was stopped"
    LIFTED = "lifted", "Goes on: the stop was lifted"
    ALERT = "alert", "Alert"
    ALERT_URGENT = "alert_urgent", "Critical alert"
    ALERT_AGAIN = "alert_again", "Alert that nobody has acknowledged"
    ALERT_OVER = "alert_over", "Alert is over"


# Told at once, whatever somebody's pace and quiet hours; only "off" is off.
URGENT = {NoticeKind.EMERGENCY, NoticeKind.STOPPED, NoticeKind.LIFTED, NoticeKind.ALERT_URGENT}
# For whoever owns the alert; where nobody does or can look at it, for those who operate the unit.
ALERTS = {NoticeKind.ALERT, NoticeKind.ALERT_URGENT, NoticeKind.ALERT_AGAIN, NoticeKind.ALERT_OVER}
# Pointless once somebody has decided.
ABOUT_WAITING = {
    NoticeKind.WAITING,
    NoticeKind.REMINDER,
    NoticeKind.ESCALATED,
    NoticeKind.OVERDUE,
    NoticeKind.ASSIGNED,
}


class Notice(models.Model):
    """Written in the transaction of what it tells of. Its id is the message's id, whatever number of tries it takes."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=12, choices=NoticeKind.choices)
    unit_id = models.UUIDField(null=True)
    unit_title = models.TextField(default="")
    title = models.TextField()
    path = models.TextField()
    due_at = models.DateTimeField(null=True)
    request = models.ForeignKey(ApprovalRequest, null=True, on_delete=models.CASCADE, related_name="+")
    # Whom an escalation level or an assignment asks by name.
    asked_person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    asked_group = models.ForeignKey(Group, null=True, on_delete=models.CASCADE, db_index=False, related_name="+")
    # The reviewer group that a policy asks next.
    asked_reviewers = models.TextField(default="", db_default="")
    # Who did it: they know already.
    by = models.TextField(default="")
    created_at = models.DateTimeField(db_default=Now())
    spread_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(name="notice_to_spread", fields=["id"], condition=Q(spread_at=None))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.title}"

    @property
    def asks_by_name(self) -> bool:
        return bool(self.asked_person_id or self.asked_group_id or self.asked_reviewers)


class WebhookEndpoint(models.Model):
    """Where another system hears of a unit. Its secret is derived from `salt` and the site's key, and stored nowhere."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    unit_id = models.UUIDField(null=True, blank=True, help_text="This unit and below; empty means all of them")
    url = models.URLField(max_length=500, help_text="https, and not an address inside your own network")
    slack = models.BooleanField(default=False, help_text="Send the body that Slack's incoming webhooks expect")
    enabled = models.BooleanField(default=True)
    salt = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def open(self) -> "DeliveryQuerySet":
        return self.filter(sent_at=None, dropped_at=None)


class Delivery(models.Model):
    """One notice to one person or one endpoint: sent at least once, or dropped because it became pointless."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    endpoint = models.ForeignKey(WebhookEndpoint, null=True, on_delete=models.CASCADE, related_name="deliveries")
    due_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, default="")
    sent_at = models.DateTimeField(null=True)
    dropped_at = models.DateTimeField(null=True)

    objects: Any = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                name="delivery_goes_to_a_person_or_an_endpoint",
                condition=Q(person__isnull=True) ^ Q(endpoint__isnull=True),
            ),
            models.UniqueConstraint(name="one_delivery_per_notice_and_person", fields=["notice", "person"]),
            models.UniqueConstraint(name="one_delivery_per_notice_and_endpoint", fields=["notice", "endpoint"]),
            models.CheckConstraint(
                name="delivery_is_not_both_sent_and_dropped", condition=Q(sent_at=None) | Q(dropped_at=None)
            ),
        ]
        indexes = [
            models.Index(name="delivery_due", fields=["due_at"], condition=Q(sent_at=None, dropped_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.notice} to {self.person or self.endpoint}"


class Pace(models.TextChoices):
    AT_ONCE = "at_once", "At once"
    HOURLY = "hourly", "Together, once an hour"
    DAILY = "daily", "Together, once a day at 08:00"
    OFF = "off", "Not at all"


class NotificationChoice(models.Model):
    """How one person wants to be told. Who has none is told at once; a role says nothing about being told."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="notification_choice"
    )
    pace = models.CharField(max_length=10, choices=Pace.choices, default=Pace.AT_ONCE)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=60, default="UTC")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="quiet_hours_have_a_beginning_and_an_end",
                condition=Q(quiet_from=None, quiet_to=None) | Q(quiet_from__isnull=False, quiet_to__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.pace}"
