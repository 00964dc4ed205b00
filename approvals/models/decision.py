"""A decision: one person's voice on exactly one digest and revision, and the coded reasons it may give."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from approvals.models.confirmation import Confirmation
from approvals.models.request import ApprovalRequest
from approvals.models.standing_in import Delegation
from audit.ids import new_id

# Whoever left the page open over night did not read it all that time.
MOST_SECONDS_READ = 24 * 3600


class Verdict(models.TextChoices):
    APPROVE = "approve"
    REJECT = "reject"
    ANSWER = "answer", "Answered"


class ReasonCode(models.TextChoices):
    """Coded reasons, so that rejections can be counted and reach the agent in a form it can act on."""

    EVIDENCE_CHECKED = "evidence_checked", "Evidence checked, correct"
    WITHIN_POLICY = "within_policy", "Within policy"
    WRONG_AMOUNT = "wrong_amount", "Wrong amount"
    WRONG_TARGET = "wrong_target", "Wrong account or recipient"
    MISSING_EVIDENCE = "missing_evidence", "Evidence is missing"
    NOT_ANSWERED = "question_not_answered", "Question not answered"
    NOT_ALLOWED = "not_allowed", "Not allowed by policy"
    DUPLICATE = "duplicate", "Duplicate, or already done"
    DONE_BY_HAND = "done_by_hand", "Done by hand"
    OTHER = "other", "Other"


def said(reason_code: str, note: str) -> str:
    """A coded reason and its note in words, as histories tell them; the code itself stands in the decision."""
    word = ReasonCode(reason_code).label
    return f"{word}: {note}" if note else word


# Which reasons speak for which verdict; asked by the operation, so that page and API give one answer.
FITS = {
    Verdict.APPROVE: {ReasonCode.EVIDENCE_CHECKED, ReasonCode.WITHIN_POLICY, ReasonCode.OTHER},
    Verdict.ANSWER: {
        ReasonCode.DONE_BY_HAND,
        ReasonCode.EVIDENCE_CHECKED,
        ReasonCode.WITHIN_POLICY,
        ReasonCode.DUPLICATE,
        ReasonCode.OTHER,
    },
    Verdict.REJECT: set(ReasonCode) - {ReasonCode.EVIDENCE_CHECKED, ReasonCode.WITHIN_POLICY, ReasonCode.DONE_BY_HAND},
}


class Decision(models.Model):
    """One person's voice on exactly one digest and revision. Never edited, never deleted (enforced by trigger)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="decisions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    # Whose right it was, where the person signed with one that was lent to them.
    for_person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    for_person_name = models.TextField(default="", blank=True)
    delegation = models.ForeignKey(Delegation, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason_code = models.CharField(max_length=30, choices=ReasonCode.choices)
    note = models.TextField(default="", blank=True)
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField()
    # The policy's checks, each with the yes (true) or no it was given.
    answers = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # What the person gave themselves: in the tool's place, or of a step done by hand.
    result = models.JSONField(null=True, blank=True)
    # The second factor it was confirmed with. One confirmation makes one decision.
    confirmation = models.OneToOneField(
        Confirmation, null=True, blank=True, on_delete=models.PROTECT, related_name="decision"
    )
    # What the reviewer had opened and for how long, as their browser reported it.
    viewed = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            # A "no" may follow one's own "yes" while others have still to sign; it ends the request.
            models.UniqueConstraint(
                name="one_voice_of_a_kind_per_person_and_revision", fields=["request", "person", "revision", "verdict"]
            )
        ]
        indexes = [
            models.Index(name="decision_lately", fields=["person", "-at"]),
            models.Index(
                name="decision_for_person", fields=["for_person"], condition=models.Q(for_person__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_name}: {self.verdict}"

    @property
    def answered(self) -> list[tuple[str, bool]]:
        """The checks in the order in which they were asked: the column keeps none. Some may be of an earlier revision."""
        asked = [check for check in self.request.checks if check in self.answers]
        return [(check, self.answers[check]) for check in [*asked, *sorted(self.answers.keys() - set(asked))]]

    @property
    def seconds_read(self) -> int:
        """How long it was looked at, as a browser or a client says; 0 where they say nothing that can be meant."""
        said = self.viewed.get("seconds")
        is_number = isinstance(said, (int, float)) and not isinstance(said, bool)
        return int(min(said, MOST_SECONDS_READ)) if is_number and said > 0 else 0
