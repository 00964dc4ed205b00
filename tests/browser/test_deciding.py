"""A decision by keyboard, without script, with an impatient finger, and after somebody else was faster."""

import pytest

from approvals.models import ApprovalRequest, Decision
from tests import make
from tests.authenticator import app_of


@pytest.fixture
def request_of_two(unit, people):
    make.policy()
    return make.request("4860.00", by=make.actor(people))


def fill_in(page, note="checked against the invoice"):
    page.check("#decision_verdict_approve")
    if page.locator("#decision_critical").count():
        page.fill("#decision_critical", "4,860")
    page.select_option("#decision_reason_code", "evidence_checked")
    page.fill("#decision_note", note)
    if page.locator("#decision_code").count():
        page.fill("#decision_code", app_of("grace").code())


class TestByKeyboard:
    def test_goes_from_the_queue_to_the_recorded_decision(self, request_of_two, opened):
        page = opened("grace").page
        page.goto("/approvals/")

        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{request_of_two.get_absolute_url()}")
        for _ in range(6):
            page.wait_for_timeout(1300)
            page.keyboard.press("PageDown")
        page.keyboard.press("a")
        page.keyboard.press("Tab")
        page.keyboard.type("4860.00")
        page.keyboard.press("Tab")
        page.keyboard.type("Evidence")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.type(app_of("grace").code())
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=You approved this")

        voice = Decision.objects.get(request=request_of_two)
        assert voice.verdict == "approve"
        assert voice.viewed["reading"]["act"]["ms"] >= 1000

    @pytest.mark.slow
    def test_needs_every_part_viewed_before_two_people_act(self, request_of_two, opened):
        page = opened("grace", viewport={"width": 1280, "height": 500}).page
        page.goto(request_of_two.get_absolute_url())

        fill_in(page)
        page.click("text=Record decision", force=True)

        assert "Still to view" in page.inner_text("[data-unlock-note]")
        assert not Decision.objects.exists()

    @pytest.mark.slow
    def test_sent_too_early_leads_to_the_first_part_still_to_be_read(self, request_of_two, opened):
        page = opened("grace", viewport={"width": 1280, "height": 500}).page
        page.goto(request_of_two.get_absolute_url())
        page.wait_for_selector("input[value=act]:checked")
        page.evaluate("addEventListener('invalid', event => { window.bubble = !event.defaultPrevented })")
        unread = page.locator("#decision-form input[name=viewed]:not(:checked)").first.get_attribute("value")

        fill_in(page)
        page.keyboard.press("Control+Enter")

        assert page.evaluate("document.activeElement.closest('[data-section]')?.dataset.section") == unread
        assert page.evaluate("document.activeElement.matches('h2, summary')")
        assert 0 <= page.evaluate("document.activeElement.getBoundingClientRect().top") < 400
        assert page.evaluate("window.bubble") is None
        page.wait_for_selector("#status:has-text('Still to view')", state="attached")
        assert not Decision.objects.exists()

    @pytest.mark.slow
    def test_refuses_at_once_what_needs_two_people(self, request_of_two, opened):
        page = opened("grace", viewport={"width": 1280, "height": 500}).page
        page.goto(request_of_two.get_absolute_url())
        button = page.locator("#decision-form button[type=submit]")
        page.wait_for_selector("#decision-form button[aria-disabled=true]")

        page.keyboard.press("r")
        page.wait_for_selector("#decision-form button:not([aria-disabled])")
        page.keyboard.press("a")
        page.wait_for_selector("#decision-form button[aria-disabled=true]")
        page.keyboard.press("r")
        page.select_option("#decision_reason_code", "wrong_amount")
        page.fill("#decision_code", app_of("grace").code())
        button.click()
        page.wait_for_selector("text=You rejected this")

        assert Decision.objects.get(request=request_of_two).verdict == "reject"

    @pytest.mark.slow
    @pytest.mark.parametrize("height", [420, 800])
    def test_reads_on_after_an_answer_is_chosen(self, request_of_two, opened, height):
        page = opened("grace", viewport={"width": 1280, "height": height}).page
        page.goto(request_of_two.get_absolute_url())

        page.keyboard.press("a")
        assert page.evaluate("document.activeElement.id") == "decision_verdict_approve"
        page.keyboard.press("PageDown")

        page.wait_for_function("scrollY > 200")

    @pytest.mark.slow
    def test_takes_its_own_request_off_the_count_in_the_navigation(self, unit, people, opened):
        request, _other = make.request(by=make.actor(people)), make.request(by=make.actor(people))
        page = opened("grace").page
        page.goto(request.get_absolute_url())
        assert page.locator("#nav .count").first.inner_text().startswith("2")

        fill_in(page)
        page.locator("#decision-form button[type=submit]").click()

        page.wait_for_selector("#nav .count:has-text('1')", timeout=5_000)

    @pytest.mark.slow
    def test_leaves_the_keyboard_where_one_goes_on(self, unit, people, opened):
        request, other = make.request(by=make.actor(people)), make.request(by=make.actor(people))
        page = opened("grace", viewport={"width": 390, "height": 800}).page
        page.goto(request.get_absolute_url())

        fill_in(page)
        page.focus("#decision-form button[type=submit]")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=You approved this")

        page.locator("a:focus:has-text('Next waiting')").wait_for(timeout=5_000)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{other.get_absolute_url()}")

    @pytest.mark.slow
    @pytest.mark.parametrize("height", [500, 800])
    def test_comes_from_the_end_of_the_page_to_a_form_in_sight(self, request_of_two, opened, height):
        page = opened("grace", viewport={"width": 1280, "height": height}).page
        page.goto(request_of_two.get_absolute_url())
        page.locator("#review .content summary").last.focus()

        for _ in range(12):
            page.keyboard.press("Tab")
            top = page.evaluate("document.activeElement.getBoundingClientRect().top")
            assert 0 < top < height, page.evaluate("document.activeElement.outerHTML")

    @pytest.mark.slow
    def test_is_never_made_by_a_single_key(self, request_of_two, opened):
        person = opened("grace")
        person.page.goto(request_of_two.get_absolute_url())
        person.sent.clear()

        for key in "arcxjkgdes[]?":
            person.page.keyboard.press(key)
            person.page.wait_for_timeout(50)

        person.page.wait_for_load_state()  # a key may have led to another page
        assert "POST" not in person.sent
        assert not Decision.objects.exists()


@pytest.mark.slow
class TestCtrlEnter:
    """It records the form one is in. What is filled in elsewhere on the page is not meant."""

    @pytest.mark.parametrize("place", ["#go", "#help button", "main a[href]"])
    def test_records_no_decision_from(self, request_of_two, opened, place):
        person = opened("grace")
        page = person.page
        page.goto(request_of_two.get_absolute_url())
        page.check("#decision_verdict_reject")
        page.select_option("#decision_reason_code", "wrong_amount")
        page.fill("#decision_code", app_of("grace").code())
        if "#help" in place:
            page.locator("#decision_verdict_reject").focus()
            page.keyboard.press("?")
        page.locator(place).first.focus()
        person.sent.clear()

        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(300)

        assert "POST" not in person.sent
        assert not Decision.objects.exists()

    def test_records_the_pages_own_form_where_one_is_in_none(self, unit, people, opened):
        request = make.request(by=make.actor(people))
        page = opened("grace").page
        page.goto(request.get_absolute_url())
        fill_in(page)

        page.locator("#main").focus()
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=You approved this")


class TestWithoutScript:
    def test_takes_the_same_form_and_ends_on_the_result(self, request_of_two, opened):
        page = opened("grace", java_script_enabled=False).page
        page.goto(request_of_two.get_absolute_url())

        for box in page.query_selector_all("#decision-form input[name=viewed]"):
            box.check()
        fill_in(page)
        page.click("text=Record decision")

        assert "You approved this" in page.inner_text("#decision")
        assert Decision.objects.get(request=request_of_two).note == "checked against the invoice"

    @pytest.mark.slow
    def test_filters_the_queue(self, request_of_two, opened):
        make.request("1.00", reference="SMALL")
        page = opened("grace", java_script_enabled=False).page
        page.goto("/approvals/")

        page.select_option("#id_tier", "financial")
        page.click(".filters button")

        assert "SMALL" not in page.inner_text("#approval-list")


class TestImpatience:
    def test_three_clicks_are_one_decision(self, unit, people, opened):
        request = make.request(by=make.actor(people))
        page = opened("grace").page
        page.goto(request.get_absolute_url())
        fill_in(page)

        page.locator("#decision-form button[type=submit]").click(click_count=3, delay=5)
        page.wait_for_selector("text=You approved this")

        assert Decision.objects.filter(request=request).count() == 1


class TestAPageThatIsOutOfDate:
    @pytest.mark.slow
    def test_says_so_beside_the_button_and_goes_on_where_it_was(self, unit, people, opened):
        make.policy()
        request = make.request("48.20", by=make.actor(people))
        person = opened("grace")
        page = person.page
        page.clock.install()
        page.goto(request.get_absolute_url())
        page.check("#decision_verdict_reject")
        page.select_option("#decision_reason_code", "other")
        page.fill("#decision_note", "my careful note")
        person.context.set_offline(True)
        for seconds in (10, 20, 40):
            with page.expect_event("requestfailed", lambda asked: asked.method == "GET"):
                page.clock.run_for(1_000 * seconds)
        page.wait_for_selector(".stale", state="attached")
        person.context.set_offline(False)
        person.problems.clear()  # the browser's own lines about the connection

        page.click("#decision-form button[type=submit]")
        told = page.inner_text("#alert")
        page.click("#alert >> text=Try now")
        page.wait_for_selector(".stale", state="detached")

        assert "This page is out of date, so nothing was sent." in told
        assert page.inner_text("#alert") == ""
        assert page.evaluate("document.activeElement.form?.id") == "decision-form"
        page.click("#decision-form button[type=submit]")
        page.clock.run_for(1_000)
        page.wait_for_selector("#decision >> text=You rejected this")
        assert Decision.objects.get().note == "my careful note"


class TestSomebodyFaster:
    @pytest.mark.slow
    def test_keeps_the_typed_text_and_says_what_happened(self, unit, people, opened):
        request = make.request(by=make.actor(people))
        person = opened("grace")
        person.page.goto(request.get_absolute_url())
        fill_in(person.page, note="my careful note")
        make.rejected(ApprovalRequest.objects.get(pk=request.pk), make.person("linus"))

        person.page.locator("#decision-form button[type=submit]").click()
        person.page.wait_for_selector("#decision >> text=already rejected")
        person.problems.clear()  # the browser itself logs a 409 as a failed load

        assert "my careful note" in person.page.inner_text("#decision")

    def test_shows_the_next_one_after_a_decision(self, unit, people, opened):
        request, other = make.request(by=make.actor(people)), make.request(by=make.actor(people))
        page = opened("grace").page
        page.goto(request.get_absolute_url())
        fill_in(page)

        page.locator("#decision-form button[type=submit]").click()
        page.click("text=Next waiting")

        page.wait_for_url(f"**{other.get_absolute_url()}")
