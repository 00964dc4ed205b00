"""Pages that follow what happens, without moving what a person holds on to."""

import pytest

from approvals.models import Decision
from orchestrator.models import Attempt, Execution
from tests import make


class TestExecution:
    def test_follows_the_work_without_a_reload(self, unit, people, opened):
        started = make.execution("running", by=people)
        page = opened("ada").page
        page.goto(started.get_absolute_url())
        assert page.inner_text(".heading .pill") == "Running"

        claim = Attempt.objects.get(step__execution=started, status="running")
        make.settle_success(make.begin(claim.pk), input={"rows": 3}, output={"posted": 3})
        page.wait_for_selector(".heading .pill:has-text('Done')")

        assert Execution.objects.get(pk=started.pk).status == "succeeded"

    @pytest.mark.slow
    def test_keeps_an_open_disclosure_open(self, unit, people, opened):
        started = make.execution("running", by=people)
        page = opened("ada").page
        page.goto(f"{started.get_absolute_url()}?step=look")
        page.click("summary:has-text('Output')")

        make.held_in(started)
        with page.expect_response(lambda answer: "X-Live".lower() in answer.request.headers and answer.status == 200):
            pass

        assert page.locator("details:has(summary:has-text('Output'))").first.evaluate("one => one.open")

    @pytest.mark.slow
    def test_that_could_not_be_asked_says_so_and_leaves_the_keyboard_there_when_it_can_again(
        self, unit, people, opened
    ):
        person = opened("ada")
        page = person.page
        page.goto(make.execution("running", by=people).get_absolute_url())
        person.context.set_offline(True)
        page.wait_for_selector(".stale")
        page.focus("text=Try now")
        person.context.set_offline(False)
        person.problems.clear()  # the browser's own lines about the connection

        page.keyboard.press("Enter")
        page.wait_for_selector(".stale", state="detached")

        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
        page.wait_for_selector("#status:has-text('Up to date again.')", state="attached")

    @pytest.mark.slow
    def test_leaves_the_keyboard_at_the_chosen_step(self, unit, people, opened):
        started = make.execution("running", by=people)
        page = opened("ada").page
        page.goto(f"{started.get_absolute_url()}?step=post#step")
        page.wait_for_selector("#step:focus")

        make.held_in(started)
        page.wait_for_selector("text=waits for")
        page.wait_for_timeout(300)

        assert page.evaluate("document.activeElement.id") == "step"

    @pytest.mark.slow
    def test_shows_a_chosen_step_where_the_person_looks(self, unit, people, opened):
        page = opened("ada", viewport={"width": 390, "height": 600}).page
        page.goto(make.execution("dead_lettered", by=people).get_absolute_url())

        page.click("ol.steps a:has-text('look')")
        page.wait_for_url("**?step=look#step")

        page.wait_for_selector("#step:focus")
        assert 0 < page.evaluate("document.activeElement.getBoundingClientRect().top") < 600


@pytest.mark.slow
class TestAPageThatDoesNotFollow:
    def test_says_how_old_it_is_while_the_numbers_beside_it_are_new(self, unit, people, opened):
        page = opened("grace").page
        page.clock.install()
        page.goto("/")
        shown = page.inner_text("[data-updated]")
        make.request(by=make.actor(people))

        page.clock.run_for(31_000)
        page.locator("#nav a:has-text('Approvals') .count").wait_for()

        assert page.inner_text("[data-updated]") == shown

    def test_says_so_once_it_was_left_open(self, unit, people, opened):
        page = opened("grace").page
        page.clock.install()
        page.goto("/")
        assert page.inner_text("[data-age]") == ""

        page.clock.fast_forward("16:05:00")

        page.locator("[data-age]", has_text=", 16 h 05 min ago").wait_for()


class TestQueue:
    def test_offers_what_has_arrived_and_moves_no_row(self, unit, people, opened):
        make.request(by=make.actor(people))
        page = opened("grace").page
        page.goto("/approvals/")
        make.request(by=make.actor(people))

        page.wait_for_selector("text=1 new item has arrived", timeout=20_000)
        rows_before = page.locator("#request-rows tr").count()
        page.click("text=1 new item has arrived")
        page.wait_for_load_state()

        assert rows_before == 1
        assert page.locator("#request-rows tr").count() == 2

    @pytest.mark.slow
    def test_filters_in_place_and_back_returns_to_what_was(self, unit, people, opened):
        make.policy()
        make.request("1.00", reference="SMALL")
        make.request("4860.00", reference="LARGE")
        page = opened("grace").page
        page.goto("/approvals/")

        page.select_option("#id_tier", "financial")
        page.wait_for_url("**/approvals/?*tier=financial*")
        page.wait_for_selector("#request-rows tr >> text=SMALL", state="detached")
        page.go_back()
        page.wait_for_selector("#request-rows tr >> text=SMALL")

        assert page.locator("header.bar").count() == 1


@pytest.mark.slow
class TestExpiredSession:
    def test_leads_to_sign_in_and_back_to_the_page(self, unit, people, opened):
        started = make.execution("running", by=people)
        person = opened("ada")
        person.page.goto(started.get_absolute_url())
        person.context.clear_cookies(name="sessionid")

        person.page.wait_for_url("**/login/**")
        person.page.fill("#id_username", "ada")
        person.page.fill("#id_password", make.PASSWORD)
        person.page.click("button[type=submit]")

        person.page.wait_for_url(f"**{started.get_absolute_url()}")


class TestSomebodyElseWhoSignsInInAnotherTab:
    """A page that follows what happens got the other's form, under the name of the first."""

    @pytest.fixture
    def person(self, people, opened):
        request = make.request("48.20", by=make.actor(people))
        person = opened("grace")
        person.page.goto(request.get_absolute_url())
        person.sign_in("linus")
        return person

    def test_signs_nothing_on_a_page_that_says_it_is_the_first_ones(self, person):
        page = person.page
        page.check("#decision_verdict_reject")
        page.select_option("#decision_reason_code", "other")
        page.fill("#decision_note", "typed by grace")
        with page.expect_response(lambda answer: answer.request.method == "POST") as told:
            page.click("#decision-form button[type=submit]")

        assert (told.value.status, list(Decision.objects.all())) == (403, [])
        page.click("#alert:has-text('Somebody else has signed in in this browser') button:has-text('Reload')")
        page.wait_for_selector("header.bar:has-text('linus')")
        person.problems.clear()  # the browser itself logs a 403 as a failed load

    def test_is_told_to_whoever_comes_back_to_it(self, person):
        person.page.wait_for_selector("#alert:has-text('Somebody else has signed in in this browser')")
        person.problems.clear()
