"""Letting an execution go on, in a real browser: what decides it is in sight, what led there one key away."""

import pytest

from approvals.models import Decision
from tests.letting_go_on import letting_go_on
from tests.reading_back import FROM_THE_DOM


def unseen(page):
    return [row for row in page.evaluate(FROM_THE_DOM) if row["group"] == "arguments" and not row["seen"]]


class TestLettingGoOn:
    @pytest.mark.slow
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

    @pytest.mark.slow
    def test_closes_nothing_where_two_people_sign(self, unit, people, opened):
        request = letting_go_on(required=2)
        page = opened("grace").page

        page.goto(request.get_absolute_url())

        assert unseen(page) == []

    def test_records_which_folds_were_opened_and_leaves_them_so_when_it_refuses(self, unit, people, opened):
        request = letting_go_on()
        person = opened("grace")
        page = person.page
        page.goto(request.get_absolute_url())
        page.click("#fold-what-read-gave > summary")
        page.fill("#decision_note", "the photo is missing")

        page.check("#decision_verdict_approve")
        page.select_option("#decision_reason_code", label="Other")
        page.fill("#decision_note", "")
        page.click("#decision-form button[type=submit]")
        page.wait_for_selector("#decision .fault, #decision [data-tone=danger]")
        assert page.evaluate("document.getElementById('fold-what-read-gave').open")
        person.problems.clear()  # the browser itself logs a 422 as a failed load

        page.check("#decision_verdict_reject")
        page.select_option("#decision_reason_code", label="Evidence is missing")
        page.click("#decision-form button[type=submit]")
        page.wait_for_selector("text=You rejected this")
        assert Decision.objects.get().viewed["reading"]["act"]["folds"] == ["fold-what-read-gave"]
