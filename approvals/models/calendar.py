"""A business calendar: the hours in which a policy's time to decide runs."""

from typing import Any, ClassVar

from django.db import models

from approvals.open_hours import Hours, read_hours
from approvals.statuses import CALENDAR
from audit.definitions import Definition, DefinitionQuerySet
from audit.lifecycle import Lifecycle


class BusinessCalendar(Definition):
    """Hours and holidays as people write them; `approvals.open_hours` reads them."""

    lifecycle: ClassVar[Lifecycle] = CALENDAR
    name = models.SlugField(max_length=80, help_text="Short name, as policies write it: office-hours")
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=100, help_text="As reviewers read it: Office hours, Oslo")
    unit_id = models.UUIDField(null=True, blank=True, help_text="Empty means every business unit")
    time_zone = models.CharField(max_length=60, default="UTC", help_text="IANA name: Europe/Oslo")
    weekly_hours = models.TextField(help_text="One line each: Mon-Fri 09:00-17:00")
    holidays = models.TextField(blank=True, help_text="Closed days, one a line: 2026-12-25 Christmas Day")

    objects: Any = DefinitionQuerySet.as_manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_calendar_per_name_and_version", fields=["name", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def hours(self) -> Hours:
        return read_hours(time_zone=self.time_zone, weekly=self.weekly_hours, holidays=self.holidays)
