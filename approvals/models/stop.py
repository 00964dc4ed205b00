"""A stop: while it is engaged, nothing it covers goes out. One row per engagement, kept for ever."""

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse

from approvals.statuses import STOP, StopStatus
from audit.lifecycle import Governed, Lifecycle


class StopScope(models.TextChoices):
    """What is stopped. An agent or a tool is stopped inside a unit and below it, or everywhere (no unit)."""

    AGENT = "agent", "An agent"
    TOOL = "tool", "A tool"
    UNIT = "unit", "A business unit and everything below it"
    EVERYTHING = "everything", "Everything, in every business unit"


class StopQuerySet(models.QuerySet["Stop"]):
    def engaged(self) -> "StopQuerySet":
        return self.filter(status=StopStatus.ENGAGED)


class Stop(Governed):
    """`agent`, `tool` and `unit_id` narrow it; what is empty is not asked about. All empty: everything."""

    lifecycle: ClassVar[Lifecycle] = STOP
    status = models.CharField(max_length=10, choices=StopStatus.choices, default=StopStatus.ENGAGED, editable=False)
    scope = models.CharField(max_length=10, choices=StopScope.choices)
    agent = models.TextField(default="", blank=True)
    tool = models.TextField(default="", blank=True)
    unit_id = models.UUIDField(null=True)
    unit_title = models.TextField(default="")
    reason = models.TextField()
    engaged_by = models.TextField()
    engaged_by_name = models.TextField()
    engaged_at = models.DateTimeField(db_default=Now())
    lifted_by = models.TextField(default="")
    lifted_by_name = models.TextField(default="")
    lifted_at = models.DateTimeField(null=True)
    lifted_why = models.TextField(default="")

    objects: Any = StopQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_engaged_stop_per_target",
                fields=["scope", "agent", "tool", "unit_id"],
                condition=Q(status=StopStatus.ENGAGED),
                nulls_distinct=False,
            ),
            models.CheckConstraint(name="stop_has_a_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="stop_was_lifted_by_somebody_for_a_reason_iff_lifted",
                condition=Q(status=StopStatus.ENGAGED, lifted_at=None, lifted_by="", lifted_why="")
                | (Q(status=StopStatus.LIFTED, lifted_at__isnull=False) & ~Q(lifted_by="") & ~Q(lifted_why="")),
            ),
            models.CheckConstraint(
                name="stop_names_exactly_what_its_scope_says",
                condition=(Q(scope=StopScope.AGENT, tool="") & ~Q(agent=""))
                | (Q(scope=StopScope.TOOL, agent="") & ~Q(tool=""))
                | Q(scope=StopScope.UNIT, agent="", tool="", unit_id__isnull=False)
                | Q(scope=StopScope.EVERYTHING, agent="", tool="", unit_id=None),
            ),
        ]
        indexes = [
            models.Index(name="stop_by_time", fields=["-engaged_at", "-id"]),
        ]

    def __str__(self) -> str:
        return self.target

    def get_absolute_url(self) -> str:
        return reverse("stop", args=[self.pk])

    @property
    def stream_unit(self) -> UUID | None:
        return self.unit_id

    @property
    def is_engaged(self) -> bool:
        return self.status == StopStatus.ENGAGED

    @property
    def where(self) -> str:
        return f"in {self.unit_title} and below" if self.unit_id else "everywhere"

    @property
    def target(self) -> str:
        """What is stopped, in words."""
        return {
            StopScope.AGENT: f"The agent {self.agent}, {self.where}",
            StopScope.TOOL: f"The tool {self.tool}, {self.where}",
            StopScope.UNIT: f"{self.unit_title} and every unit below it",
            StopScope.EVERYTHING: "Everything",
        }[StopScope(self.scope)]

    @property
    def sentence(self) -> str:
        """The reason as a refused caller reads it."""
        return f"Stopped by {self.engaged_by_name}: {self.target} ({self.reason})"
