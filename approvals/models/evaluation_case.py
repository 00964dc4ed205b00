"""What a person put right, kept as a case that a later release can be held against. Frozen: it needs no other row to be read."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from approvals.models.decision import ReasonCode
from approvals.models.request import ApprovalRequest
from approvals.statuses import EVALUATION_CASE, EvaluationCaseStatus
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits


class CaseKind(models.TextChoices):
    REJECTION = "rejection"
    EDIT = "edit"
    ANSWER = "answer"


class EvaluationCaseQuerySet(OfUnits["EvaluationCase"]):
    def accepted(self) -> "EvaluationCaseQuerySet":
        """Those that releases are held against."""
        return self.filter(status=EvaluationCaseStatus.ACCEPTED)


class EvaluationCase(Governed):
    """`before` is the call as proposed, `after` as a person would have it; both are the canonical text of the arguments.

    Of a rejection there is no `after`; of an answer it is the result that the person gave.
    """

    lifecycle: ClassVar[Lifecycle] = EVALUATION_CASE
    status = models.CharField(
        max_length=10,
        choices=EvaluationCaseStatus.choices,
        default=EvaluationCaseStatus.CANDIDATE,
        editable=False,
    )
    kind = models.CharField(max_length=10, choices=CaseKind.choices)
    unit_id = models.UUIDField()
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="cases")
    revision = models.PositiveIntegerField()
    # Of the whole snapshot that was judged: tool, record, release, policy and arguments.
    digest = models.CharField(max_length=64)
    snapshot = models.TextField()
    title = models.TextField()
    agent = models.TextField()
    tool = models.TextField()
    tool_version = models.TextField()
    release = models.TextField(default="", blank=True)
    policy_version = models.TextField()
    before = models.TextField()
    after = models.TextField(default="", blank=True)
    reason_code = models.CharField(max_length=30, choices=ReasonCode.choices, default="", blank=True)
    note = models.TextField(default="", blank=True)
    kept_at = models.DateTimeField(db_default=Now())
    judged_by = models.TextField(default="")
    judged_by_name = models.TextField(default="")
    judged_at = models.DateTimeField(null=True)
    why = models.TextField(default="", blank=True)

    objects: Any = EvaluationCaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_case_per_kind_and_revision", fields=["request", "kind", "revision"]),
            models.CheckConstraint(
                name="case_was_judged_by_somebody_for_a_reason_iff_no_candidate",
                condition=Q(status=EvaluationCaseStatus.CANDIDATE, judged_by="", judged_at=None)
                | (
                    ~Q(status=EvaluationCaseStatus.CANDIDATE)
                    & ~Q(judged_by="")
                    & ~Q(why="")
                    & Q(judged_at__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="case_says_what_is_right_iff_no_rejection",
                condition=Q(kind=CaseKind.REJECTION, after="") | (~Q(kind=CaseKind.REJECTION) & ~Q(after="")),
            ),
        ]
        indexes = [models.Index(name="case_by_time", fields=["unit_id", "-kept_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"

    def get_absolute_url(self) -> str:
        return reverse("case", args=[self.pk])

    @property
    def is_candidate(self) -> bool:
        return self.status == EvaluationCaseStatus.CANDIDATE

    @property
    def may_be_dismissed(self) -> bool:
        return self.status != EvaluationCaseStatus.DISMISSED
