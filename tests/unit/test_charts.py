"""Stacked bars: marks as high as their numbers, one above the other, what is negative below the line."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from audit.templatetags._charts import HEIGHT, Cell, Chart, Series, line_of_nought, marks

# How long a busy machine takes says nothing about what is tested.


def chart(*rows):
    series = [
        Series(f"s{at}", "", [Cell(Decimal(one), str(one), f"/{at}/") for one in row]) for at, row in enumerate(rows)
    ]
    return Chart("", "", [f"day {number}" for number in range(len(rows[0]))], series, "")


def test_marks_stand_on_each_other_and_reach_the_top_on_the_dearest_day():
    first, second, third = marks(chart([1, 2], [0, 2]))
    assert [(mark.x, mark.y, mark.height, mark.colour) for mark in (first, second, third)] == [
        (1, 75.0, 25.0, 1),
        (11, 50.0, 50.0, 1),
        (11, 0.0, 50.0, 2),
    ]
    assert (third.url, third.words) == ("/1/", "day 1, s1: 2")


def test_what_is_below_nought_hangs_below_the_line():
    up, down = marks(chart([3], [-1]))
    assert (up.y, up.height, down.y, down.height) == (0.0, 75.0, 75.0, 25.0)
    assert line_of_nought(chart([3], [-1])) == 75.0


def test_nothing_is_no_mark():
    assert marks(chart([0, 0])) == []
    assert line_of_nought(chart([0, 0])) == HEIGHT


numbers = st.integers(min_value=-1000, max_value=10**6)


rows_of = st.integers(min_value=1, max_value=8).flatmap(
    lambda days: st.lists(st.lists(numbers, min_size=days, max_size=days), min_size=1, max_size=8)
)


@given(rows_of)
def test_every_number_is_a_mark_inside_the_picture_as_high_as_it_is(rows):
    found = marks(chart(*rows))
    assert len(found) == sum(1 for row in rows for one in row if one)
    assert all(mark.y >= -0.02 and mark.y + mark.height <= HEIGHT + 0.02 for mark in found)


def test_a_name_is_spelled_out_in_what_a_mark_says():
    hostile = Series("pay\u202epal", "", [Cell(Decimal(1), "1", "")])
    (mark,) = marks(Chart("", "", ["day"], [hostile], ""))
    assert "\u202e" not in mark.words
