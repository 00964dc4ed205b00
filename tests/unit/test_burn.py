"""A sum that grows towards its limit: level on days without any, never above the picture, and on to where it is likely to end."""

from decimal import Decimal

from audit.templatetags._burn import Ahead, Burn, Level, Step, drawn


def burn(*totals, days=10, ahead=None, before=0, limit=20):
    steps = [Step(place, "", "", "", Decimal(total)) for place, total in totals]
    levels = [Level(Decimal(limit), "", "", True)]
    return Burn("", "", "", "", days, 5, Decimal(before), steps, levels, ahead)


def points(text):
    return [tuple(map(float, pair.split(","))) for pair in text.split()]


def test_a_day_rises_from_its_morning_to_its_evening_and_one_without_any_is_level():
    found = drawn(burn((1, "10.5"), (4, 21)))
    assert [x for x, _ in points(found.line)] == [0, 0, 10, 30, 40, 50]
    depths = [y for _, y in points(found.line)]
    assert depths[0] == depths[1] == 100
    assert depths[2] == depths[3]
    assert depths[4] == depths[5]


def test_the_limit_is_above_what_is_inside_it_and_below_what_is_past_it():
    inside, past = drawn(burn((1, 10))), drawn(burn((1, 30)))
    assert inside.levels[0][1] < points(inside.line)[-1][1]
    assert past.levels[0][1] > points(past.line)[-1][1]


def test_everything_stays_in_the_picture_also_what_was_given_back():
    found = drawn(burn((1, 5), (2, -4), ahead=Ahead(Decimal(90), Decimal(-9), Decimal(99), "", "")))
    every = [*points(found.line), *points(found.likely), *points(found.band)]
    assert all(0 <= x <= 100 and 0 <= y <= 100 for x, y in every)
    assert points(found.likely)[0] == points(found.line)[-1]


def test_what_was_spent_before_the_first_day_shown_is_where_it_begins():
    assert points(drawn(burn((1, 15), before=10)).line)[0][1] < 100


def test_nothing_is_a_level_line():
    assert {y for _, y in points(drawn(burn(limit=0)).line)} == {100}
