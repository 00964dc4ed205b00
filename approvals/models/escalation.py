"""Who is asked in addition when time runs out: the ladder people configure, and what has been climbed of it."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from approvals.models.request import ApprovalRequest
from approvals.statuses import ESCALATION_LEVEL, UNDECIDED
from audit.definitions import Definition
from audit.ids import new_id
from audit.lifecycle import Lifecycle, run

# Everybody concerned is reminded after so much of the time to decide, in percent, the earliest first.
REMINDERS = (50, 90)
# What counts open hours is looked at right away: only its calendar tells when the time has come.
_TIME = """
CASE WHEN calendar_id IS NULL THEN created_at + stood + (decide_by - created_at - stood) * %(percent)s
     ELSE clock_timestamp() END
"""
_LOOK_SOONER = f"""
UPDATE approvals_approvalrequest SET next_notice_at = {_TIME}
WHERE status = ANY (%(open)s) AND next_notice_at > {_TIME}
"""


class EscalationLevel(Definition):
    """One rung: after so much of the time to decide, these are asked too. Asking opens no right: signing needs the role."""

    lifecycle: ClassVar[Lifecycle] = ESCALATION_LEVEL
    name = models.SlugField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    unit_id = models.UUIDField(null=True, blank=True, help_text="Empty: units that have no levels of their own")
    after_percent = models.PositiveSmallIntegerField(help_text="Of the time to decide, 1 to 100")
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects: Any = models.Manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_escalation_level_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(
                name="escalation_level_is_after_1_to_100_percent",
                condition=Q(after_percent__gte=1, after_percent__lte=100),
            ),
            models.CheckConstraint(
                name="escalation_level_asks_a_group_or_a_person",
                condition=Q(group__isnull=True, person__isnull=False) | Q(group__isnull=False, person__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def came_into_force(self) -> None:
        """What waits already is looked at when this rung's time comes, not only when the step it had planned is due."""
        run(_LOOK_SOONER, {"percent": self.after_percent / 100, "open": list(UNDECIDED)})


class Kind(models.TextChoices):
    REMINDER = "reminder", "Reminder"
    LEVEL = "level", "Escalation"
    OVERDUE = "overdue", "Overdue"


class Escalation(models.Model):
    """A step that was taken: once per request and step, never edited, never deleted (enforced by trigger).

    What people are told of it stands in the outbox, written in the same transaction (approvals.notifying.notices).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="escalations")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    step = models.CharField(max_length=90)
    after_percent = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField()
    at = models.DateTimeField(db_default=Now())
    group = models.ForeignKey(Group, null=True, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    # The reviewer group that a policy names for when time is out (escalate_to).
    reviewers = models.TextField(default="", db_default="")
    asked_name = models.TextField(default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_escalation_per_request_and_step", fields=["request", "step"]),
        ]

    def __str__(self) -> str:
        return f"{self.step} of {self.request_id}"
