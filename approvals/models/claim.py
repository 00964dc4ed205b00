"""Who has taken a request in hand: a claim that lapses by itself, and an assignment by a colleague."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from approvals.models.request import ApprovalRequest
from audit.ids import new_id


class ClaimQuerySet(models.QuerySet["Claim"]):
    def open(self) -> "ClaimQuerySet":
        """Neither released nor used up by a signature; perhaps lapsed."""
        return self.filter(ended_at__isnull=True)

    def running(self) -> "ClaimQuerySet":
        return self.open().filter(held_until__gt=Now())

    def newly_lapsed(self) -> "ClaimQuerySet":
        """Run out, and nobody has been told yet."""
        return self.open().filter(lapsed_at__isnull=True, held_until__lte=Now())


class Claim(models.Model):
    """Somebody reads this request and means to sign it. It holds the place of one open signature, by the database's clock."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="claims")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    claimed_at = models.DateTimeField(db_default=Now())
    held_until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    # When the history was told that it had lapsed. It stays open: whoever claims next takes it over, and the record says so.
    lapsed_at = models.DateTimeField(null=True)

    objects = ClaimQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_open_claim_per_request_and_person",
                fields=["request", "person"],
                condition=Q(ended_at__isnull=True),
            ),
            models.CheckConstraint(name="claim_lapses_after_it_begins", condition=Q(held_until__gt=F("claimed_at"))),
        ]
        indexes = [
            models.Index(
                name="claim_not_known_to_lapse",
                fields=["held_until"],
                condition=Q(ended_at__isnull=True, lapsed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_name} until {self.held_until:%H:%M}"


class Assignment(models.Model):
    """Whom a colleague has asked to look at this request. It opens no right, and keeps nobody else from signing."""

    request = models.OneToOneField(
        ApprovalRequest, primary_key=True, on_delete=models.PROTECT, related_name="assignment"
    )
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    assigned_by_name = models.TextField()
    assigned_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.request_id} to {self.person_name}"
