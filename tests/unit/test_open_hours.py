"""Time that runs in open hours only, across nights, holidays and changes of clocks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.open_hours import BadHours, after, before, between, read_hours, windows

HOUR = 3600
OSLO = read_hours(time_zone="Europe/Oslo", weekly="Mon-Fri 09:00-17:00", holidays="2026-12-25 Christmas Day")
ALWAYS = read_hours(time_zone="Europe/Oslo", weekly="Mon-Sun 00:00-24:00")


def at(text):
    return datetime.fromisoformat(text)


class TestADeadline:
    @pytest.mark.parametrize(
        ("start", "hours", "due"),
        [
            ("2026-11-25T10:00+01:00", 2, "2026-11-25T12:00+01:00"),  # within a day
            ("2026-11-25T16:00+01:00", 2, "2026-11-26T10:00+01:00"),  # over night
            ("2026-11-27T16:00+01:00", 2, "2026-11-30T10:00+01:00"),  # over the weekend
            ("2026-12-24T16:00+01:00", 2, "2026-12-28T10:00+01:00"),  # over a holiday and the weekend behind it
            ("2026-11-28T03:00+01:00", 1, "2026-11-30T10:00+01:00"),  # asked while closed
            ("2026-11-25T17:00+01:00", 1, "2026-11-26T10:00+01:00"),  # asked as it closes
            ("2026-11-25T09:00+01:00", 8, "2026-11-25T17:00+01:00"),  # exactly one day
            ("2026-11-25T16:00+00:00", 1, "2026-11-26T10:00+01:00"),  # 16:00 in London is after hours in Oslo
        ],
    )
    def test_counts_open_hours_only(self, start, hours, due):
        assert after(at(start), hours * HOUR, OSLO) == at(due)

    @pytest.mark.parametrize(
        ("start", "due"),
        [
            ("2026-03-28T12:00+01:00", "2026-03-29T13:00+02:00"),  # the night is an hour shorter
            ("2026-10-24T12:00+02:00", "2026-10-25T11:00+01:00"),  # the night is an hour longer
        ],
    )
    def test_counts_the_hours_a_night_really_has(self, start, due):
        assert after(at(start), 24 * HOUR, ALWAYS) == at(due)

    def test_keeps_to_the_wall_clock_of_each_side_of_a_change(self):
        assert after(at("2026-03-27T16:00+01:00"), 2 * HOUR, OSLO) == at("2026-03-30T10:00+02:00")

    def test_takes_the_whole_of_an_hour_that_comes_twice(self):
        night = read_hours(time_zone="Europe/Oslo", weekly="Sun 02:00-03:00")

        ((opens, closes),) = windows(at("2026-10-25").date(), night)

        assert closes - opens == timedelta(hours=2)

    def test_never_opens_in_an_hour_that_does_not_exist(self):
        night = read_hours(time_zone="Europe/Oslo", weekly="Sun 02:00-03:00")

        assert windows(at("2026-03-29").date(), night) == []

    def test_is_refused_by_a_calendar_that_never_opens(self):
        never = read_hours(time_zone="UTC", weekly="Mon 09:00-09:01")

        with pytest.raises(BadHours):
            after(at("2026-11-25T10:00+00:00"), 366 * 24 * HOUR, never)


class TestReading:
    @pytest.mark.parametrize(
        ("texts", "says"),
        [
            ({"time_zone": "Europe/Olso"}, "no time zone"),
            ({"time_zone": "../etc"}, "no time zone"),
            ({"weekly": "Mon-Fri 9-17"}, "Line 1"),
            ({"weekly": "Mon 09:00-17:00\nTuesday 09:00-17:00"}, "Line 2"),
            ({"weekly": "Fri-Mon 09:00-17:00"}, "ends before it begins"),
            ({"weekly": "Mon 17:00-09:00"}, "ends before it begins"),
            ({"weekly": "Mon 09:00-25:00"}, "ends before it begins"),
            ({"weekly": "Mon 09:60-17:00"}, "ends before it begins"),
            ({"weekly": "Mon-Fri 09:00-17:00\nWed 16:00-18:00"}, "Two windows of Wed overlap"),
            ({"weekly": " "}, "at least one open hour"),
            ({"holidays": "Christmas 2026-12-25"}, "Line 1"),
        ],
    )
    def test_names_the_line_that_is_wrong(self, texts, says):
        good = {"time_zone": "UTC", "weekly": "Mon-Fri 09:00-17:00", "holidays": ""}

        with pytest.raises(BadHours, match=says):
            read_hours(**{**good, **texts})


CALENDARS = st.sampled_from(
    [
        OSLO,
        ALWAYS,
        read_hours(time_zone="America/New_York", weekly="Mon-Sun 00:30-03:30\nSat 10:00-12:00"),
        read_hours(time_zone="Australia/Lord_Howe", weekly="Mon-Fri 01:00-05:00\nSun 01:00-04:00", holidays="2026-04-06"),
    ]
)  # fmt: skip
STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SECONDS = st.integers(1, 60 * HOUR)


def open_between(start, end, hours):
    """Open time between two moments, summed window by window."""
    days = (end - start).days + 3
    first = start.astimezone(hours.zone).date() - timedelta(days=1)
    found = [window for offset in range(days + 1) for window in windows(first + timedelta(days=offset), hours)]
    return sum((max(min(closes, end) - max(opens, start), timedelta()) for opens, closes in found), timedelta())


class TestAnyDeadline:
    @given(start=STARTS, seconds=SECONDS, hours=CALENDARS)
    def test_has_exactly_that_much_open_time_before_it(self, start, seconds, hours):
        assert open_between(start, after(start, seconds, hours), hours) == timedelta(seconds=seconds)

    @given(start=STARTS, seconds=SECONDS, hours=CALENDARS)
    def test_is_a_moment_that_is_open_and_never_sooner_than_round_the_clock(self, start, seconds, hours):
        due = after(start, seconds, hours)

        assert due >= start + timedelta(seconds=seconds)
        assert open_between(due - timedelta(seconds=1), due, hours) == timedelta(seconds=1)

    @given(start=STARTS, one=SECONDS, more=SECONDS, hours=CALENDARS)
    def test_in_two_parts_is_the_same_as_in_one(self, start, one, more, hours):
        assert after(after(start, one, hours), more, hours) == after(start, one + more, hours)


class TestBackwards:
    """`before` is the way back of `after`, and `between` is how long it is."""

    @pytest.mark.parametrize("zone", ["Europe/Oslo", "America/Santiago", "Asia/Tehran", "UTC"])
    def test_leads_to_where_it_began_over_two_years(self, zone):
        hours = read_hours(
            time_zone=zone, weekly="Mon-Fri 09:00-12:00\nMon-Fri 13:00-17:00\nSat 00:00-24:00\nSun 00:30-02:30",
            holidays="2028-02-29\n2027-12-24\n2027-12-25",
        )  # fmt: skip
        start = datetime(2027, 1, 1, 10, 7, tzinfo=UTC)
        for step in range(700):
            begins = start + timedelta(hours=25 * step)
            ends = after(begins, 5 * 3600, hours)
            assert between(begins, ends, hours) == timedelta(hours=5)
            back = before(ends, 5 * 3600, hours)
            # As far back as there is open time: closed hours between both count for nothing.
            assert back >= begins
            assert between(begins, back, hours) == timedelta()

    def test_there_is_no_open_time_before_its_beginning(self):
        hours = read_hours(time_zone="UTC", weekly="Mon-Sun 00:00-24:00")
        noon = datetime(2027, 1, 1, 12, tzinfo=UTC)
        assert between(noon, noon - timedelta(hours=3), hours) == timedelta()
