"""What a reviewer who is new to it does on the review page and in the queue, by key, by finger and without a script."""

import pytest

from approvals.models import ApprovalRequest
from tests import make
from tests.authenticator import app_of


@pytest.fixture
def asked(unit, people):
    return make.request("48.20", by=make.actor(people))


@pytest.mark.slow
class TestTheKeyForAQuestion:
    def test_opens_the_fold_and_puts_the_person_where_they_write(self, asked, opened):
        grace = opened("grace")
        grace.page.goto(asked.get_absolute_url())
        grace.sent.clear()

        grace.page.keyboard.press("s")
        grace.page.keyboard.type("as? Which invoice")

        assert grace.page.input_value("#question-form textarea") == "as? Which invoice"
        assert "POST" not in grace.sent

    def test_stands_in_the_list_of_keys_and_beside_its_button(self, asked, opened):
        page = opened("grace").page
        page.goto(asked.get_absolute_url())

        assert page.locator("#fold-question summary kbd").inner_text() == "s"
        page.keyboard.press("?")
        assert "write a question to send it back with" in page.inner_text("#help")

    def test_sends_it_back_with_the_keyboard_alone(self, asked, opened):
        page = opened("grace").page
        page.goto(asked.get_absolute_url())

        page.keyboard.press("s")
        page.keyboard.type("Which invoice?")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=Your question is sent")

        assert ApprovalRequest.objects.get(pk=asked.pk).status == "sent_back"


class TestWhatWasViewed:
    @pytest.fixture
    def page(self, unit, people, opened):
        make.policy()
        request = make.request("4860.00", by=make.actor(people))
        page = opened("grace", viewport={"width": 1280, "height": 500}).page
        page.goto(request.get_absolute_url())
        return page

    def test_ticks_itself_only_once_it_was_on_screen_and_says_so(self, page):
        page.wait_for_timeout(1600)

        assert not page.is_checked("#decision-form input[value=policy]")
        assert "A part ticks itself once it has been on your screen" in page.inner_text("#decision-form")

    @pytest.mark.slow
    def test_is_led_to_by_its_box(self, page):
        page.locator("#decision-form input[value=policy]").click()

        assert page.evaluate("document.activeElement.closest('[data-section]').dataset.section") == "policy"
        page.wait_for_selector("#status:has-text('was not on your screen yet')", state="attached")
        page.wait_for_selector("#decision-form input[value=policy]:checked")


@pytest.mark.slow
class TestOnAPhone:
    @pytest.fixture
    def phone(self, asked, opened):
        def open_it(**more):
            return opened("grace", viewport={"width": 390, "height": 844}, has_touch=True, **more)

        return open_it

    @pytest.mark.slow
    @pytest.mark.parametrize("script", [True, False])
    def test_filters_wait_behind_one_button(self, phone, script):
        page = phone(java_script_enabled=script).page
        page.goto("/approvals/")
        assert not page.is_visible("#id_tier")

        page.click(".filter-fold summary")

        assert page.is_visible("#id_tier")
        assert page.is_visible(".filters button")

    @pytest.mark.slow
    def test_filters_that_narrow_the_list_show_themselves(self, phone):
        page = phone().page
        page.goto("/approvals/?tier=financial")

        assert page.input_value("#id_tier") == "financial"
        assert page.is_visible("#id_tier")

    @pytest.mark.slow
    def test_no_key_is_named_and_axe_finds_nothing(self, phone, asked):
        grace = phone()
        for address in ("/approvals/", asked.get_absolute_url(), "/"):
            grace.page.goto(address)

            assert grace.page.locator("kbd:visible").count() == 0
            assert grace.axe() == []
            assert grace.page.evaluate("document.documentElement.scrollWidth") <= 390

    @pytest.mark.parametrize("script", [True, False])
    def test_one_tap_leads_past_the_act_to_the_decision(self, phone, asked, script):
        page = phone(java_script_enabled=script).page
        page.goto(asked.get_absolute_url())
        page.click("text=Your decision >> nth=0")
        page.wait_for_function("document.querySelector('#decision').getBoundingClientRect().top < innerHeight / 2")

    @pytest.mark.slow
    def test_a_wide_screen_has_the_decision_beside_the_act(self, asked, opened):
        page = opened("grace").page
        page.goto(asked.get_absolute_url())
        assert not page.is_visible(".button.narrow")

    @pytest.mark.slow
    def test_a_wide_screen_shows_the_filters_at_once(self, asked, opened):
        page = opened("grace").page
        page.goto("/approvals/")

        assert page.is_visible("#id_tier")
        assert not page.is_visible(".filter-fold summary")


@pytest.mark.slow
class TestReasons:
    def test_are_those_of_the_answer_chosen(self, asked, opened):
        page = opened("grace").page
        page.goto(asked.get_absolute_url())

        def offered():
            return page.evaluate("[...decision_reason_code.options].filter(one => !one.disabled).map(one => one.value)")

        assert {"wrong_amount", "evidence_checked"} <= set(offered())
        page.keyboard.press("r")
        assert "question_not_answered" in offered()
        assert "evidence_checked" not in offered()
        page.select_option("#decision_reason_code", "wrong_amount")
        page.keyboard.press("a")
        assert set(offered()) == {"", "evidence_checked", "within_policy", "other"}
        assert page.input_value("#decision_reason_code") == ""


class TestOneFault:
    @pytest.mark.slow
    def test_leads_to_the_field_it_is_about(self, unit, people, opened):
        make.policy()
        request = make.request("4860.00", by=make.actor(people))
        grace = opened("grace")
        page = grace.page
        page.goto(request.get_absolute_url())
        page.check("#decision_verdict_reject")
        page.select_option("#decision_reason_code", "other")
        page.fill("#decision_code", app_of("grace").code())

        page.locator("#decision-form button[type=submit]").click()
        page.wait_for_selector("#decision-form .fault")

        assert page.locator("#review .fault, #review [data-errors], #review [data-refusal]").count() == 1
        assert page.evaluate("document.activeElement.id") == "decision_note"
        assert grace.axe() == []
        assert all("422" in problem for problem in grace.problems)
        grace.problems.clear()
