"""What may be done in an emergency, and what is left of it: glass that was broken, and bypasses with an end."""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.core.validators import MaxValueValidator, MinLengthValidator, MinValueValidator
from django.db import models
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now

from approvals.models.confirmation import Confirmation
from approvals.models.request import ApprovalRequest
from approvals.statuses import BREAK_GLASS, BYPASS, BreakGlassStatus
from audit import scope
from audit.actors import Actor
from audit.definitions import Definition
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from budgets.units import above

SHORTEST_REASON = 20
LONGEST_BYPASS_MINUTES = 4 * 60


class BreakGlassQuerySet(OfUnits["BreakGlass"]):
    def open(self) -> "BreakGlassQuerySet":
        return self.filter(status=BreakGlassStatus.OPEN)

    def waiting_for(self, actor: Actor) -> "BreakGlassQuerySet":
        """Those this person could look at afterwards: theirs to review, and not their own doing."""
        mine = Q(person_id=actor.user_id) | Q(request__requester=actor.key)
        rows = self.open().filter(unit_id__in=scope.unit_ids(actor, "review")).exclude(mine)
        return rows.exclude(request__excluded__contains=[actor.key])


class BreakGlass(Governed):
    """One person signed alone where two must. Open until a second person has looked at it afterwards."""

    lifecycle: ClassVar[Lifecycle] = BREAK_GLASS
    status = models.CharField(
        max_length=10, choices=BreakGlassStatus.choices, default=BreakGlassStatus.OPEN, editable=False
    )
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="emergencies")
    unit_id = models.UUIDField()
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField()
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    person_name = models.TextField()
    reason = models.TextField()
    # The second factor of somebody who had signed before; else their decision has it.
    confirmation = models.OneToOneField(
        Confirmation, null=True, blank=True, on_delete=models.PROTECT, related_name="emergency"
    )
    broken_at = models.DateTimeField(db_default=Now())
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reviewed_by_name = models.TextField(default="")
    reviewed_at = models.DateTimeField(null=True)
    note = models.TextField(default="")

    objects: Any = BreakGlassQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "break glass"
        constraints = [
            models.UniqueConstraint(name="glass_breaks_once_per_revision", fields=["request", "revision"]),
            models.CheckConstraint(
                name="broken_glass_is_reviewed_by_another_person", condition=~Q(reviewed_by=F("person"))
            ),
            models.CheckConstraint(
                name="broken_glass_has_a_reviewer_iff_not_open",
                condition=Q(status=BreakGlassStatus.OPEN, reviewed_by=None, reviewed_at=None)
                | (~Q(status=BreakGlassStatus.OPEN) & Q(reviewed_by__isnull=False, reviewed_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(name="glass_open", fields=["unit_id"], condition=Q(status=BreakGlassStatus.OPEN)),
            models.Index(name="glass_by_time", fields=["-broken_at", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.person_name} alone on {self.request.title}"

    @property
    def is_open(self) -> bool:
        return self.status == BreakGlassStatus.OPEN


class LoweredTier(models.TextChoices):
    """What a tool's tier may be lowered to: fewer people than it asks for."""

    INFORMATIONAL = "informational", "informational: nobody signs"
    CUSTOMER_FACING = "customer_facing", "customer-facing: one person signs"


class BypassQuerySet(models.QuerySet["Bypass"]):
    def in_force(self) -> "BypassQuerySet":
        """Active, and its time is not over, by the database's clock."""
        return self.filter(status="active", activated_at__gt=Now() - _LASTS)

    def over(self) -> "BypassQuerySet":
        return self.filter(status="active", activated_at__lte=Now() - _LASTS)

    def visible_to(self, actor: Actor) -> "BypassQuerySet":
        """What holds in a unit they see, be it by a unit above; what holds everywhere is everybody's business."""
        seen = scope.unit_ids(actor, "view")
        return self.filter(Q(unit_id=None) | Q(unit_id__in={*seen, *above(seen)}))


class Bypass(Definition):
    """For a few hours a tool asks for fewer people than its tier says. Proposed by one administrator, activated by another.

    It lowers the tier's floor and nothing else: a policy that asks for people still asks for them.
    """

    lifecycle: ClassVar[Lifecycle] = BYPASS
    name = models.SlugField(max_length=80)
    tool = models.CharField(max_length=200, help_text="Exactly one tool")
    agent = models.CharField(max_length=200, blank=True, help_text="Only for this agent; empty means every agent")
    unit_id = models.UUIDField(null=True, blank=True, help_text="This business unit and below")
    tier = models.CharField(max_length=20, choices=LoweredTier.choices, verbose_name="lower the tier to")
    minutes = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_BYPASS_MINUTES)],
        help_text=f"How long it lasts once it is activated: 1 to {LONGEST_BYPASS_MINUTES} minutes. It ends by itself.",
    )
    reason = models.CharField(
        max_length=300,
        validators=[MinLengthValidator(SHORTEST_REASON)],
        help_text=f"At least {SHORTEST_REASON} characters. It stands on every page while the bypass is in force.",
    )

    objects: Any = BypassQuerySet.as_manager()

    class Meta(Definition.Meta):
        verbose_name_plural = "bypasses"
        constraints = [
            *Definition.Meta.constraints,
            models.CheckConstraint(
                name="bypass_lasts_1_minute_to_4_hours",
                condition=Q(minutes__gte=1, minutes__lte=LONGEST_BYPASS_MINUTES),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def stream_unit(self) -> UUID | None:
        return self.unit_id

    @property
    def ends_at(self) -> datetime | None:
        return self.activated_at + timedelta(minutes=self.minutes) if self.activated_at else None

    @property
    def target(self) -> str:
        """What is lowered, in words."""
        who = f" for the agent {self.agent}" if self.agent else ""
        return f"The tool {self.tool}{who} asks for fewer people: {self.get_tier_display()}"


_LASTS = ExpressionWrapper(F("minutes") * Value(timedelta(minutes=1)), output_field=DurationField())
