"""Days as they were asked for, or as near as makes sense with a word on each change; and those that they are compared with."""

from datetime import date

import pytest

from orchestrator.queries.days import Days, asked_days, before, days_against, named

TODAY = date(2026, 11, 28)


def asked(most=0, **given):
    return asked_days(given, today=TODAY, most=most)


def against(now, **given):
    return days_against(given, Days(*(date.fromisoformat(day) for day in now)))


def said(days):
    return [(note.field, note.wrong, note.instead) for note in days.notes]


class TestDaysThatMakeSense:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, ("2026-11-01", "2026-11-28")),
            ({"since": "2026-11-05"}, ("2026-11-05", "2026-11-28")),
            ({"until": "2026-10-20"}, ("2026-10-01", "2026-10-20")),
            ({"since": "", "until": " "}, ("2026-11-01", "2026-11-28")),
            ({"since": "2026-12-01", "until": "2026-12-31"}, ("2026-12-01", "2026-12-31")),
        ],
    )
    def test_are_taken_as_they_are_and_nothing_is_said(self, given, expected):
        days = asked(**given)
        assert (str(days.since), str(days.until), days.notes) == (*expected, ())

    def test_are_as_many_as_are_usual_where_the_first_is_not_said(self):
        days = [asked_days(given, today=TODAY, usual=7) for given in ({}, {"until": "2026-03-02"})]
        assert [(str(one.since), str(one.until)) for one in days] == [
            ("2026-11-22", "2026-11-28"), ("2026-02-24", "2026-03-02"),
        ]  # fmt: skip

    def test_may_be_exactly_as_many_as_are_shown(self):
        assert asked(most=28).notes == ()


class TestDaysThatMakeNone:
    @pytest.mark.parametrize(
        ("given", "shown", "note"),
        [
            ({"since": "nonsense"}, ("2026-11-01", "2026-11-28"), ("since", "“nonsense” is not a day.", "It is left out.")),
            ({"until": "2026-02-30"}, ("2026-11-01", "2026-11-28"), ("until", "“2026-02-30” is not a day.", "It is left out.")),
            (
                {"since": "2026-11-20", "until": "2026-11-10"}, ("2026-11-10", "2026-11-20"),
                ("since", "20 Nov 2026 is after 10 Nov 2026.", "10 to 20 Nov 2026 is taken."),
            ),
            (
                {"since": "2027-01-05"}, ("2027-01-05", "2027-01-05"),
                ("since", "5 Jan 2027 is after today.", "That day alone is shown."),
            ),
            (
                {"since": "1999-12-31"}, ("2000-01-01", "2026-11-28"),
                ("since", "31 Dec 1999 is outside of 1 Jan 2000 to 30 Dec 2999.", "1 Jan 2000 is taken."),
            ),
        ],
    )  # fmt: skip
    def test_are_read_as_some_that_do_and_each_change_is_said(self, given, shown, note):
        days = asked(**given)
        assert (str(days.since), str(days.until)) == shown
        assert said(days) == [note]
        assert all(one.remedy for one in days.notes)

    def test_are_cut_to_the_last_ones_where_they_are_too_many(self):
        days = asked(most=92, since="2026-01-01", until="2026-11-28")
        assert (str(days.since), str(days.until)) == ("2026-08-29", "2026-11-28")
        assert said(days) == [("since", "These are more than 92 days.", "29 Aug to 28 Nov 2026 is shown.")]

    def test_are_all_told_and_long_ones_cut(self):
        days = asked(since="x" * 1000, until="9999-12-31")
        assert [note.field for note in days.notes] == ["since", "until"]
        assert len(days.notes[0].wrong) < 70


class TestDaysBefore:
    @pytest.mark.parametrize(
        ("since", "until", "expected"),
        [
            ("2026-11-01", "2026-11-28", ("2026-10-01", "2026-10-28")),
            ("2026-11-01", "2026-11-30", ("2026-10-01", "2026-10-31")),
            ("2026-03-01", "2026-03-31", ("2026-02-01", "2026-02-28")),
            ("2026-03-01", "2026-03-30", ("2026-02-01", "2026-02-28")),
            ("2026-01-01", "2026-01-01", ("2025-12-01", "2025-12-01")),
            ("2026-11-02", "2026-11-28", ("2026-10-06", "2026-11-01")),
            ("2026-10-01", "2026-11-30", ("2026-08-01", "2026-09-30")),
        ],
    )
    def test_are_the_same_of_the_month_before_or_as_many(self, since, until, expected):
        found = before(date.fromisoformat(since), date.fromisoformat(until))
        assert tuple(map(str, found)) == expected


class TestDaysToCompareWith:
    NOW = ("2026-11-10", "2026-11-19")
    USUAL = ("2026-10-31", "2026-11-09")

    @pytest.mark.parametrize(
        ("given", "shown", "fields"),
        [
            ({}, USUAL, []),
            ({"against": "2026-09-01", "against_until": "2026-09-30"}, ("2026-09-01", "2026-09-30"), []),
            ({"against": "2026-09-01"}, ("2026-09-01", "2026-11-09"), []),
            ({"against": "2026-09-30", "against_until": "2026-09-01"}, ("2026-09-01", "2026-09-30"), ["against"]),
            ({"against": "2026-11-15"}, USUAL, ["against"]),
            ({"against": "2026-11-01", "against_until": "2026-11-12"}, ("2026-11-01", "2026-11-09"), ["against_until"]),
            ({"against_until": "2026-09-30"}, USUAL, ["against_until"]),
            ({"against": "never"}, USUAL, ["against"]),
        ],
    )
    def test_lie_before_and_whatever_does_not_is_said(self, given, shown, fields):
        days = against(self.NOW, **given)
        assert (str(days.since), str(days.until)) == shown
        assert [note.field for note in days.notes] == fields
        assert days.until < date(2026, 11, 10)


def test_days_are_named_with_no_more_than_is_needed():
    def name(*days):
        return named(*map(date.fromisoformat, days))

    assert name("2026-11-01", "2026-11-28") == "1 to 28 Nov 2026"
    assert name("2026-10-31", "2026-11-28") == "31 Oct to 28 Nov 2026"
    assert name("2025-12-31", "2026-01-02") == "31 Dec 2025 to 2 Jan 2026"
    assert name("2026-11-28", "2026-11-28") == "28 Nov 2026"
