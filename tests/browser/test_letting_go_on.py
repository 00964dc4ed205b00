"""Letting an execution go on, in a real browser: what decides it is in sight, what led there one key away."""

import pytest

from tests.letting_go_on import letting_go_on
from tests.reading_back import FROM_THE_DOM


def unseen(page):
    return [row for row in page.evaluate(FROM_THE_DOM) if row["group"] == "arguments" and not row["seen"]]


class TestLettingGoOn:
    @pytest.mark.parametrize("width", [1280, 390])
    def test_folds_what_led_there_and_a_key_opens_it(self, unit, people, opened, width):
        request = letting_go_on()
        person = opened("grace", viewport={"width": width, "height": 844})
        page = person.page
        page.goto(request.get_absolute_url())

        large = page.locator("tr.large [data-text]").all_inner_texts()
        assert large == ["1140"]
        assert page.get_by_text("Twelve chairs are damaged.").first.is_visible()
        assert len(unseen(page)) == 12
        assert person.axe() == []

        page.focus("#fold-what-read-gave > summary")
        page.keyboard.press("Enter")
        assert unseen(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert person.axe() == []

    def test_closes_nothing_where_two_people_sign(self, unit, people, opened):
        request = letting_go_on(required=2)
        page = opened("grace").page

        page.goto(request.get_absolute_url())

        assert unseen(page) == []
