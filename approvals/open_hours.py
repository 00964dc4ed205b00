"""Deadlines that count open hours only. Pure: a start, a length and a calendar in, a moment out.

Local times are turned into moments of UTC day by day, so a day with a change of clocks has the hours it really has: an
opening time that does not exist that day opens at the same distance behind the change, and of an hour that comes
twice the first one opens and the second one closes.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = 24 * 60
# Nobody waits longer. A year of open time is there by then where a calendar is open for more than two hours a week.
FURTHEST = 80 * 366
_LINE = re.compile(r"([a-z]{3})(?:\s*-\s*([a-z]{3}))?\s+(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")


class BadHours(ValueError):
    """The text is no calendar; the message names the line."""


@dataclass(frozen=True, slots=True)
class Hours:
    """`weekly` holds, Monday first, the windows of each day in minutes since its midnight."""

    zone: ZoneInfo
    weekly: tuple[tuple[tuple[int, int], ...], ...]
    holidays: frozenset[date] = frozenset()


def after(start: datetime, seconds: float, hours: Hours) -> datetime:
    """The moment at which that many seconds of open time have passed since `start`."""
    left = timedelta(seconds=seconds)
    first = start.astimezone(hours.zone).date()
    for offset in range(FURTHEST):
        for opens, closes in windows(first + timedelta(days=offset), hours):
            begins = max(opens, start.astimezone(UTC))
            if closes - begins >= left:
                return begins + left
            left -= max(closes - begins, timedelta())
    raise BadHours("This calendar is hardly ever open.")


def before(end: datetime, seconds: float, hours: Hours) -> datetime:
    """The moment from which that many seconds of open time pass until `end`: what `after` leads to `end` from."""
    left = timedelta(seconds=seconds)
    last = end.astimezone(hours.zone).date()
    for offset in range(FURTHEST):
        for opens, closes in reversed(windows(last - timedelta(days=offset), hours)):
            ends = min(closes, end.astimezone(UTC))
            if ends - opens >= left:
                return ends - left
            left -= max(ends - opens, timedelta())
    raise BadHours("This calendar is hardly ever open.")


def between(start: datetime, end: datetime, hours: Hours) -> timedelta:
    """How much open time there is from one moment to another; none where the second one is not later."""
    open_time, day = timedelta(), start.astimezone(hours.zone).date()
    while day <= end.astimezone(hours.zone).date():
        for opens, closes in windows(day, hours):
            open_time += max(min(closes, end.astimezone(UTC)) - max(opens, start.astimezone(UTC)), timedelta())
        day += timedelta(days=1)
    return open_time


def windows(day: date, hours: Hours) -> list[tuple[datetime, datetime]]:
    """The open times of one local day as moments of UTC, in order."""
    if day in hours.holidays:
        return []
    found = [
        (_moment(day, opens, hours.zone, fold=0), _moment(day, closes, hours.zone, fold=1))
        for opens, closes in hours.weekly[day.weekday()]
    ]
    return [(opens, closes) for opens, closes in found if opens < closes]


def _moment(day: date, minutes: int, zone: ZoneInfo, *, fold: int) -> datetime:
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


# --- Reading what people write -----------------------------------------------------------------------------------


def read_hours(*, time_zone: str, weekly: str, holidays: str = "") -> Hours:
    """A calendar from its texts. Raises BadHours."""
    return Hours(read_zone(time_zone), read_weekly(weekly), read_holidays(holidays))


def read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadHours(f"There is no time zone “{name}”. Use an IANA name such as Europe/Oslo.") from None


def read_weekly(text: str) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Lines such as `Mon-Fri 09:00-17:00`; several lines may speak of one day."""
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for number, line in _lines(text):
        days, window = _window(number, line)
        for day in days:
            week[day].append(window)
    if not any(week):
        raise BadHours("A calendar needs at least one open hour a week: Mon-Fri 09:00-17:00")
    for name, opened in zip(DAYS, week, strict=True):
        opened.sort()
        if any(earlier[1] > later[0] for earlier, later in pairwise(opened)):
            raise BadHours(f"Two windows of {name.capitalize()} overlap.")
    return tuple(tuple(opened) for opened in week)


def _window(number: int, line: str) -> tuple[range, tuple[int, int]]:
    found = _LINE.fullmatch(line.lower())
    if found is None or found[1] not in DAYS or (found[2] or found[1]) not in DAYS:
        raise BadHours(f"Line {number}: “{line}” is no opening time. Write it like Mon-Fri 09:00-17:00.")
    first, last = DAYS.index(found[1]), DAYS.index(found[2] or found[1])
    opens, closes = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
    if int(found[4]) > 59 or int(found[6]) > 59 or first > last or not opens < closes <= MIDNIGHT:
        raise BadHours(f"Line {number}: “{line}” ends before it begins. A day ends at 24:00, a week on Sun.")
    return range(first, last + 1), (opens, closes)


def read_holidays(text: str) -> frozenset[date]:
    """Lines such as `2026-12-25 Christmas Day`."""
    found = set()
    for number, line in _lines(text):
        try:
            found.add(date.fromisoformat(line.split()[0]))
        except ValueError:
            raise BadHours(f"Line {number}: “{line}” begins with no date. Write it like 2026-12-25.") from None
    return frozenset(found)


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
