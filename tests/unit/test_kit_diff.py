"""Differences, and where the drawing of a workflow puts its steps."""

import pytest

from audit.templatetags._diff import CHANGED, DIGIT, LONGEST, SAME, Part, word_diff
from audit.templatetags._graph import layout


class TestWordDiff:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", ""),
            ("", "new"),
            ("Fee for October", "Fee for November, second half"),
            ("a  b", "a b"),
            ("x" * 5000, "y"),
        ],
    )
    def test_loses_nothing_of_either_side(self, before, after):
        left, right = word_diff(before, after)

        assert "".join(part.text for part in left) == before
        assert "".join(part.text for part in right) == after

    def test_marks_only_the_words_that_differ(self):
        left, right = word_diff("Fee for October", "Fee for November")

        assert left == [Part(SAME, "Fee for "), Part(CHANGED, "October")]
        assert right == [Part(SAME, "Fee for "), Part(CHANGED, "November")]

    def test_singles_out_the_digit_that_differs(self):
        left, right = word_diff("IBAN 7466", "IBAN 7406")

        assert left[1:] == [Part(CHANGED, "74"), Part(DIGIT, "6"), Part(CHANGED, "6")]
        assert right[1:] == [Part(CHANGED, "74"), Part(DIGIT, "0"), Part(CHANGED, "6")]

    def test_compares_very_long_texts_as_a_whole(self):
        left, _ = word_diff("a " * LONGEST, "b " * LONGEST)

        assert [part.kind for part in left] == [CHANGED]


class TestLayout:
    def test_of_nothing_is_empty(self):
        assert layout({}).places == ()

    def test_puts_a_step_to_the_right_of_everything_it_needs(self):
        needs = {
            "fetch": [],
            "classify": ["fetch"],
            "check": ["fetch"],
            "post": ["classify", "check"],
            "report": ["post"],
        }

        x = {place.key: place.x for place in layout(needs).places}

        assert all(x[need] < x[key] for key, wanted in needs.items() for need in wanted)

    def test_goes_on_in_a_new_line_where_one_is_too_long_for_a_small_laptop(self):
        needs = {f"step{n}": [f"step{n - 1}"] if n else [] for n in range(9)}

        drawn = layout(needs)
        places = [(place.y, place.x) for place in drawn.places]

        assert drawn.width <= 1012
        assert places == sorted(places)
        assert len({y for y, _ in places}) == 3
        assert all(0 <= x <= drawn.width - 176 and y <= drawn.height - 52 for y, x in places)

    def test_stays_in_one_line_as_long_as_it_fits(self):
        drawn = layout({f"step{n}": [f"step{n - 1}"] if n else [] for n in range(5)})

        assert ({place.y for place in drawn.places}, drawn.width <= 1012) == ({0}, True)

    def test_draws_one_arrow_per_need_and_ignores_needs_it_does_not_know(self):
        arrows = layout({"a": ["ghost"], "b": ["a"]}).arrows

        assert [(arrow.source, arrow.target) for arrow in arrows] == [("a", "b")]

    def test_never_puts_two_steps_on_one_place(self):
        places = layout({"a": [], **{f"b{number}": ["a"] for number in range(7)}}).places

        assert len({(place.x, place.y) for place in places}) == 8

    def test_survives_a_cycle(self):
        assert len(layout({"a": ["b"], "b": ["a"]}).places) == 2
