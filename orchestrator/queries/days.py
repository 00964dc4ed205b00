"""The days that something about costs is asked for: as they were asked, or as near as makes sense, with a word on each change.

Pages show the words and the days that they read instead; the API refuses by the first of them. And which days are before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 30)
DAY = timedelta(days=1)
MOST_SHOWN = 40
HOW = "Write a day as 2026-01-31."


@dataclass(frozen=True, slots=True)
class Note:
    """What is wrong with a field of the address, what was read instead, and how to ask for what was meant."""

    field: str
    wrong: str
    instead: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Days:
    """Both included."""

    since: date
    until: date
    notes: tuple[Note, ...] = ()


def asked_days(given: Mapping[str, str], *, today: date, most: int = 0, usual: int = 0) -> Days:
    """From `since` to `until`. Where nothing is said, as many days as are usual, or from the first of the month, up to today."""
    notes: list[Note] = []
    first, last = _day(given, "since", notes), _day(given, "until", notes)
    until = last or today
    since = first or (until - timedelta(days=usual - 1) if usual else until.replace(day=1))
    if since > until and last:
        since, until = until, since
        notes.append(_turned("since", since, until))
    elif since > until:
        until = since
        notes.append(
            Note("since", f"{told(since)} is after today.", "That day alone is shown.", "Say the last day, too.")
        )
    if most and (until - since).days >= most:
        since = until - timedelta(days=most - 1)
        wrong = f"These are more than {most} days."
        notes.append(Note("since", wrong, f"{named(since, until)} is shown.", "Ask for the rest by itself."))
    return Days(since, until, tuple(notes))


def days_against(given: Mapping[str, str], now: Days) -> Days:
    """From `against` to `against_until`, all before; where nothing is said, those before (as of `before`)."""
    notes: list[Note] = []
    first, last = _day(given, "against", notes), _day(given, "against_until", notes)
    usual = before(now.since, now.until)
    if first is None:
        if last is not None:
            notes.append(_unusable("against_until", "It has no first day to go with it.", usual))
        return Days(*usual, tuple(notes))
    until = last or now.since - DAY
    if first > until and last:
        first, until = until, first
        notes.append(_turned("against", first, until))
    if first >= now.since:
        notes.append(_unusable("against", f"{told(first)} is not before {told(now.since)}.", usual))
        return Days(*usual, tuple(notes))
    if until >= now.since:
        until = now.since - DAY
        wrong = f"Days from {told(now.since)} on are in the other range."
        notes.append(Note("against_until", wrong, f"It is compared with {named(first, until)}.", "Choose days before."))
    return Days(first, until, tuple(notes))


def before(since: date, until: date) -> tuple[date, date]:
    """What days are compared with, everywhere. A month, or its first days: the same days of the month before it.

    The whole of a month is compared with the whole of the one before; any other days with as many, right before.
    """
    end = since - DAY
    if since.day == 1 and (until.year, until.month) == (since.year, since.month):
        is_whole = (until + DAY).month != until.month
        return end.replace(day=1), end if is_whole else end.replace(day=min(until.day, end.day))
    return since - (until - since) - DAY, end


def named(since: date, until: date) -> str:
    """`1 to 28 Nov 2026`, with no more said than is needed."""
    if since == until:
        return told(since)
    first = f"{since.day}"
    if (since.year, since.month) != (until.year, until.month):
        first += f" {since:%b}"
    if since.year != until.year:
        first += f" {since.year}"
    return f"{first} to {told(until)}"


def told(day: date) -> str:
    """`28 Nov 2026`."""
    return f"{day.day} {day:%b} {day.year}"


def _day(given: Mapping[str, str], field: str, notes: list[Note]) -> date | None:
    text = given.get(field, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        shown = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
        notes.append(Note(field, f"“{shown}” is not a day.", "It is left out.", HOW))
        return None
    inside = min(max(day, EARLIEST), LATEST)
    if inside != day:
        wrong = f"{told(day)} is outside of {told(EARLIEST)} to {told(LATEST)}."
        notes.append(Note(field, wrong, f"{told(inside)} is taken.", "Choose a day in between."))
    return inside


def _turned(field: str, since: date, until: date) -> Note:
    wrong = f"{told(until)} is after {told(since)}."
    return Note(field, wrong, f"{named(since, until)} is taken.", "Choose a first day up to the last one.")


def _unusable(field: str, wrong: str, usual: tuple[date, date]) -> Note:
    return Note(field, wrong, f"It is compared with {named(*usual)}.", "Say the first and the last day of both ranges.")
