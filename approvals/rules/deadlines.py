"""How long people have: the earliest of the policies' deadlines, each counted in the hours of its calendar."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from approvals.models import BusinessCalendar
from approvals.open_hours import after


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
    """The earliest. A calendar that is not in force any more counts round the clock: the shorter time is the stricter."""
    clocks = list(clocks)
    named = {clock.calendar for clock in clocks if clock.calendar}
    calendars = {row.name: row for row in BusinessCalendar.objects.active().filter(name__in=named)} if named else {}
    found = [deadline_in(now, clock, calendars.get(clock.calendar)) for clock in clocks]
    return min(found, key=lambda one: (one.at, one.counted_in))


def deadline_in(now: datetime, clock: Clock, calendar: BusinessCalendar | None) -> Deadline:
    if calendar is None:
        return Deadline(now + timedelta(seconds=clock.seconds), clock.seconds)
    return Deadline(after(now, clock.seconds, calendar.hours), clock.seconds, calendar)
