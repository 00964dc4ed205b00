"""Policies, requests and decisions. A request is a frozen snapshot of the thing decided: it needs no other app to be read."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from approvals.statuses import POLICY, REQUEST, RequestStatus
from audit import scope
from audit.actors import Actor
from audit.definitions import Definition, DefinitionStatus
from audit.ids import new_id
from audit.lifecycle import Governed, Lifecycle


class PolicyVerdict(models.TextChoices):
    HOLD = "hold", "ask as many people as stated"
    DENY = "deny", "deny"


class OnTimeout(models.TextChoices):
    """What happens when nobody decides in time. Approving is not among the choices and never will be."""

    REJECT = "reject", "the action is refused"
    HOLD = "hold", "it stays waiting, marked overdue"


class ApprovalPolicyQuerySet(models.QuerySet["ApprovalPolicy"]):
    def active(self) -> "ApprovalPolicyQuerySet":
        return self.filter(status=DefinitionStatus.ACTIVE)

    def for_action(self, *, tool: str, unit_ids: list[UUID]) -> "ApprovalPolicyQuerySet":
        return self.active().filter(Q(unit_id__in=unit_ids) | Q(unit_id=None), tool__in=[tool, "*"])


class ApprovalPolicy(Definition):
    """One rule: for this tool, when this condition holds, that many people must sign. Versions are never edited."""

    lifecycle: ClassVar[Lifecycle] = POLICY
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    unit_id = models.UUIDField(null=True, blank=True, help_text="Empty means every business unit")
    tool = models.CharField(max_length=200, default="*", help_text="Exact tool name, or * for every tool")
    condition = models.TextField(
        blank=True, help_text="CEL over args, tool, agent, unit, execution, envelope. Empty means always."
    )
    verdict = models.CharField(max_length=10, choices=PolicyVerdict.choices, default=PolicyVerdict.HOLD)
    required = models.PositiveSmallIntegerField(
        default=1, help_text="How many different people must approve: 0, 1 or 2"
    )
    reason = models.CharField(max_length=300, help_text="Shown to the reviewer: why a person is needed")
    decide_within_seconds = models.PositiveIntegerField(default=24 * 3600, help_text="Time people have to decide")
    use_within_seconds = models.PositiveIntegerField(default=3600, help_text="Time an approval stays usable")
    on_timeout = models.CharField(max_length=10, choices=OnTimeout.choices, default=OnTimeout.REJECT)
    objects: Any = ApprovalPolicyQuerySet.as_manager()

    class Meta(Definition.Meta):
        verbose_name_plural = "approval policies"
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_policy_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(name="policy_requires_0_to_2_people", condition=Q(required__lte=2)),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def visible_to(self, actor: Actor) -> "ApprovalRequestQuerySet":
        return self.filter(unit_id__in=scope.unit_ids(actor, "view"))

    def reviewable_by(self, actor: Actor) -> "ApprovalRequestQuerySet":
        return self.filter(unit_id__in=scope.unit_ids(actor, "review"))

    def pending(self) -> "ApprovalRequestQuerySet":
        return self.filter(status=RequestStatus.PENDING)

    def overdue(self) -> "ApprovalRequestQuerySet":
        """Past their time by the database's clock, and of the kind that time ends."""
        return self.pending().filter(decide_by__lte=Now(), on_timeout=OnTimeout.REJECT)

    def lapsed(self) -> "ApprovalRequestQuerySet":
        return self.filter(status=RequestStatus.APPROVED, use_by__lte=Now())

    def due_first(self) -> "ApprovalRequestQuerySet":
        return self.order_by("decide_by", "-required", "id")


class ApprovalRequest(Governed):
    """`snapshot` is the canonical text the digest was taken over; `subject_id` is opaque here."""

    lifecycle: ClassVar[Lifecycle] = REQUEST
    status = models.CharField(
        max_length=10, choices=RequestStatus.choices, default=RequestStatus.PENDING, editable=False
    )
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    subject_id = models.UUIDField()
    execution_id = models.UUIDField(null=True)
    title = models.TextField()
    tool = models.TextField()
    tool_version = models.TextField()
    agent = models.TextField()
    effect = models.TextField()
    reversible = models.TextField(help_text="How the act is undone, or why it cannot be")
    snapshot = models.TextField()
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    tier = models.TextField()
    required = models.PositiveSmallIntegerField()
    policy_version = models.TextField()
    reasons = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    agent_says = models.TextField(default="")
    requester = models.TextField()
    requester_name = models.TextField()
    excluded = models.JSONField(default=list, help_text="Keys of everybody whose signature cannot count")
    on_timeout = models.CharField(max_length=10, choices=OnTimeout.choices, default=OnTimeout.REJECT)
    created_at = models.DateTimeField(db_default=Now())
    decide_by = models.DateTimeField()
    use_within_seconds = models.PositiveIntegerField()
    use_by = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    objects: Any = ApprovalRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="request_resolved_at_iff_not_pending",
                condition=Q(status=RequestStatus.PENDING, resolved_at__isnull=True)
                | (~Q(status=RequestStatus.PENDING) & Q(resolved_at__isnull=False)),
            ),
            models.CheckConstraint(name="request_needs_1_or_2_people", condition=Q(required__in=[1, 2])),
            models.UniqueConstraint(
                name="one_live_request_per_subject",
                fields=["subject_id"],
                condition=Q(status__in=[RequestStatus.PENDING, RequestStatus.APPROVED]),
            ),
        ]
        indexes = [
            models.Index(
                name="request_queue",
                fields=["unit_id", "decide_by", "id"],
                condition=Q(status=RequestStatus.PENDING),
            ),
            models.Index(name="request_by_time", fields=["unit_id", "-created_at", "-id"]),
            models.Index(name="request_execution", fields=["execution_id"]),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("approval", args=[self.pk])

    @property
    def is_open(self) -> bool:
        return self.status == RequestStatus.PENDING


class Verdict(models.TextChoices):
    APPROVE = "approve"
    REJECT = "reject"


class ReasonCode(models.TextChoices):
    """Coded reasons, so that rejections can be counted and reach the agent in a form it can act on."""

    EVIDENCE_CHECKED = "evidence_checked", "Evidence checked, correct"
    WITHIN_POLICY = "within_policy", "Within policy"
    WRONG_AMOUNT = "wrong_amount", "Wrong amount"
    WRONG_TARGET = "wrong_target", "Wrong account or recipient"
    MISSING_EVIDENCE = "missing_evidence", "Evidence is missing"
    NOT_ALLOWED = "not_allowed", "Not allowed by policy"
    DUPLICATE = "duplicate", "Already done"
    OTHER = "other", "Other (a note is needed)"


# Which reasons speak for which verdict; asked by the operation, so that page and API give one answer.
FITS = {
    Verdict.APPROVE: {ReasonCode.EVIDENCE_CHECKED, ReasonCode.WITHIN_POLICY, ReasonCode.OTHER},
    Verdict.REJECT: set(ReasonCode) - {ReasonCode.EVIDENCE_CHECKED, ReasonCode.WITHIN_POLICY},
}


class Decision(models.Model):
    """One person's voice on exactly one digest and revision. Never edited, never deleted (enforced by trigger)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="decisions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason_code = models.CharField(max_length=30, choices=ReasonCode.choices)
    note = models.TextField(default="", blank=True)
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField()
    # What the reviewer had opened and for how long, as their browser reported it.
    viewed = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_voice_per_person_and_revision", fields=["request", "person", "revision"])
        ]

    def __str__(self) -> str:
        return f"{self.person_name}: {self.verdict}"

    @property
    def decided_at(self) -> datetime:
        return self.at
