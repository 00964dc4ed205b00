"""Times and their zones, as they come from outside or were kept: as text, or typed into a form."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime

# What every part can hold and show in any zone. PostgreSQL knows more years than Python, and Python odder offsets than it.
YEARS: Final = range(1970, 2200)


def moment(text: str) -> datetime | None:
    """An RFC 3339 time with its offset, in UTC; or None."""
    try:
        found = parse_datetime(text)
        at = found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return at if at and at.year in YEARS else None


def refuse_other_years(at: datetime) -> None:
    """For the fields of forms. The year is the one that was typed: in UTC it may be one that nobody can write."""
    if at.year not in YEARS:
        raise ValidationError(f"Choose a time between {YEARS[0]} and {YEARS[-1]}.", code="year")


def zone_of(name: str) -> ZoneInfo:
    """The zone that somebody chose; UTC where this host no longer knows it, as one may have fewer names than the one before."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
