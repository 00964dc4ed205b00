"""How much may go out at a time: limits that people draft and activate, and the breaker that each of them moves."""

from typing import Any, ClassVar
from uuid import UUID

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from audit.actors import system
from audit.definitions import Definition, DefinitionStatus, definition_lifecycle
from audit.lifecycle import Governed, Lifecycle, born, database_now, move
from orchestrator.statuses import BREAKER, BreakerStatus

LIMIT = definition_lifecycle("limit")


class Limit(Definition):
    """Covers what all of its unit, agent and tool cover, empty ones covering everything, as stops do."""

    lifecycle: ClassVar[Lifecycle] = LIMIT
    # Out of force it lets more through than before.
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80, help_text="Short name of this limit: erp-postings")
    version = models.PositiveIntegerField(default=1)
    unit_id = models.UUIDField(
        null=True, blank=True, help_text="With everything below it. Empty means every unit, together"
    )
    agent = models.CharField(max_length=200, blank=True, help_text="Empty means every agent, together")
    tool = models.CharField(max_length=200, blank=True, help_text="Empty means every tool, together")
    per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Calls that may go out in a minute"
    )
    at_once = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Calls under way at the same time"
    )
    breaks_after = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)],
        help_text="Failures of the other system in a row, after which nothing is sent for a while",
    )  # fmt: skip
    break_seconds = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1)], help_text="How long nothing is sent, before one call tries again"
    )
    most_queued = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)],
        help_text="Executions that may wait for a worker in the unit; further ones are refused. Not with an agent or a tool",
    )  # fmt: skip
    why = models.CharField(max_length=300, blank=True, help_text="The reason, as whoever waits for it reads it")

    objects: Any = models.Manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_limit_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(
                name="limit_limits_something",
                condition=Q(per_minute__isnull=False)
                | Q(at_once__isnull=False)
                | Q(breaks_after__isnull=False)
                | Q(most_queued__isnull=False),
            ),
            models.CheckConstraint(
                name="only_a_units_queue_is_limited", condition=Q(most_queued__isnull=True) | Q(agent="", tool="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def allows(self) -> str:
        """In words."""
        parts = [
            f"{self.per_minute} a minute" if self.per_minute else "",
            f"{self.at_once} at once" if self.at_once else "",
            f"{self.most_queued} executions queued" if self.most_queued else "",
            f"nothing for {self.break_seconds} s after {in_a_row(self.breaks_after)}" if self.breaks_after else "",
        ]
        return "; ".join(filter(None, parts))

    def came_into_force(self) -> None:
        """A new version goes on where the one before stands: what was kept from a system that fails is kept from it still."""
        before = Breaker.objects.filter(limit__name=self.name).exclude(limit=self).order_by("-limit__version").first()
        next_at, failures = (before.next_at, before.failures) if before else (database_now(), 0)
        breaker, by = Breaker(limit=self, next_at=next_at, failures=failures), system("limits")
        born(breaker, by=by)
        if before is not None and before.status != BreakerStatus.CLOSED and self.breaks_after:
            move(breaker, to=BreakerStatus.OPEN, by=by, why=before.why, until=before.until)


def in_a_row(failures: int) -> str:
    return "1 failure" if failures == 1 else f"{failures} failures in a row"


class BreakerQuerySet(models.QuerySet["Breaker"]):
    def in_force(self) -> "BreakerQuerySet":
        return self.filter(limit__status=DefinitionStatus.ACTIVE)


class Breaker(Governed):
    """Where a limit stands now. Its row orders whoever asks at the same time."""

    lifecycle: ClassVar[Lifecycle] = BREAKER
    limit = models.OneToOneField(Limit, on_delete=models.PROTECT, related_name="breaker")
    status = models.CharField(
        max_length=10, choices=BreakerStatus.choices, default=BreakerStatus.CLOSED, editable=False
    )
    failures = models.PositiveIntegerField(default=0)
    # Open: until then nothing is sent. Trying: until then nobody else tries.
    until = models.DateTimeField(null=True)
    # When the next call is due if calls went out evenly; it may lie ahead by so much as a burst allows (GCRA, ITU-T I.371).
    next_at = models.DateTimeField()
    why = models.TextField(default="")

    objects: Any = BreakerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.limit}: {self.status}"

    @property
    def stream_unit(self) -> UUID | None:
        return self.limit.unit_id
