"""Acceptable ranges that people draft and activate. Where none covers a place, those of the settings hold."""

from typing import Any, ClassVar
from uuid import UUID

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from audit.definitions import Definition, DefinitionStatus, definition_lifecycle
from audit.lifecycle import Lifecycle
from audit.refusals import Refusal

SERVICE_LEVEL = definition_lifecycle("service level")


class Figure(models.TextChoices):
    """Names of settings.SERVICE_LEVELS."""

    COST = "cost", "Cost per transaction, USD"
    OVERHEAD = "overhead", "Orchestration overhead, seconds, 95 % below"
    SUCCESS = "success", "Success rate, per cent"


class ServiceLevel(Definition):
    """The range of one figure for a unit with everything below it, and one workflow or all; the nearest one holds."""

    lifecycle: ClassVar[Lifecycle] = SERVICE_LEVEL
    # Out of force a wider range may hold.
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80, help_text="Short name of this range: nordics-success")
    version = models.PositiveIntegerField(default=1)
    unit_id = models.UUIDField(null=True, blank=True, help_text="With everything below it. Empty means every unit")
    workflow = models.CharField(max_length=200, blank=True, help_text="Empty means all of a unit's executions together")
    figure = models.CharField(max_length=10, choices=Figure.choices, default=Figure.SUCCESS)
    low = models.DecimalField(
        max_digits=12, decimal_places=4, validators=[MinValueValidator(0)],
        help_text="Success below it is out of range. Cost and overhead below it alarm nobody",
    )  # fmt: skip
    high = models.DecimalField(
        max_digits=12, decimal_places=4, validators=[MinValueValidator(0)],
        help_text="Cost and overhead above it are out of range. Of success it is 100",
    )  # fmt: skip
    why = models.CharField(max_length=300, blank=True, help_text="The reason, as whoever is alarmed by it reads it")

    objects: Any = models.Manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_service_level_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(
                name="service_level_ends_where_it_begins_or_above", condition=Q(high__gte=F("low"), low__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def stream_unit(self) -> UUID | None:
        return self.unit_id

    def came_into_force(self) -> None:
        """One range per place and figure. Raises Refusal where another name has one there."""
        same = ServiceLevel.objects.filter(
            status=DefinitionStatus.ACTIVE, unit_id=self.unit_id, workflow=self.workflow, figure=self.figure
        )
        other = same.exclude(pk=self.pk).first()
        if other is not None:
            raise Refusal(
                f"{other} is the range of this figure there.", remedy="Draft a new version of it.", code="place_taken"
            )
