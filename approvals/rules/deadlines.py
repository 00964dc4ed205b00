"""How long people have: the earliest of the policies' deadlines, each counted in the hours of its calendar."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from approvals.models import BusinessCalendar
from approvals.open_hours import BadHours, after


class Clock(NamedTuple):
    """A time to decide: so many seconds, of open hours where a calendar is named."""

    seconds: int
    calendar: str = ""


class Deadline(NamedTuple):
    """`seconds` are the time to decide, of open hours where a calendar counts it."""

    at: datetime
    seconds: int
    calendar: BusinessCalendar | None = None

    @property
    def counted_in(self) -> str:
        return self.calendar.title if self.calendar else ""


def deadline(now: datetime, clocks: Iterable[Clock]) -> Deadline:
    """The earliest. Where a calendar is not in force any more, the time is counted round the clock: the shorter is stricter."""
    clocks = list(clocks)
    named = {clock.calendar for clock in clocks if clock.calendar}
    calendars = {row.name: row for row in BusinessCalendar.objects.active().filter(name__in=named)} if named else {}
    found = [deadline_in(now, clock, calendars.get(clock.calendar)) for clock in clocks]
    return min(found, key=lambda one: (one.at, one.counted_in))


def deadline_in(now: datetime, clock: Clock, calendar: BusinessCalendar | None) -> Deadline:
    if calendar is not None:
        # One that is hardly ever open has no such time in it, and keeps nobody from asking.
        with suppress(BadHours):
            return Deadline(after(now, clock.seconds, calendar.hours), clock.seconds, calendar)
    return Deadline(now + timedelta(seconds=clock.seconds), clock.seconds)
