"""Second factors as they are used: each use, for what exactly, and how many wrong tries somebody had."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from approvals.models.request import ApprovalRequest
from audit.ids import new_id


class FactorKind(models.TextChoices):
    """What somebody has beside their password."""

    TOTP = "totp", "Authenticator app"
    WEBAUTHN = "webauthn", "Passkey"
    RECOVERY_CODES = "recovery_codes", "Recovery code"


# A recovery code is a way back to one's own factors, written on paper: it signs nothing.
SIGNING = (FactorKind.TOTP, FactorKind.WEBAUTHN)


class Confirmation(models.Model):
    """A second factor was used: by whom, when, and for exactly which bytes. Never edited or deleted (enforced by trigger).

    One code or assertion makes one confirmation (`once`), and one confirmation makes one decision.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # What it was used for: a decision on this request, or (null) a change of one's own factors.
    request = models.ForeignKey(ApprovalRequest, null=True, on_delete=models.PROTECT, related_name="confirmations")
    digest = models.CharField(max_length=64, default="", blank=True)
    revision = models.PositiveIntegerField(default=0)
    kind = models.CharField(max_length=20, choices=FactorKind.choices)
    # The factor may be removed later; what it was called and its number stay.
    factor_id = models.BigIntegerField()
    factor_name = models.TextField()
    once = models.CharField(max_length=100, help_text="Names the code or assertion, which is used up by this")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_assertion_confirms_once", fields=["once"]),
            models.CheckConstraint(
                name="confirmation_is_bound_to_bytes_iff_to_a_request",
                condition=Q(request=None, digest="", revision=0) | Q(request__isnull=False) & ~Q(digest=""),
            ),
            models.CheckConstraint(
                name="recovery_codes_confirm_no_decision",
                condition=Q(request=None) | Q(kind__in=SIGNING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} “{self.factor_name}”" if self.factor_name else self.get_kind_display()


class Guesses(models.Model):
    """Wrong passwords and codes of one person since the last right one. The row orders everything they try."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    wrong = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.wrong} wrong"
