"""A second factor in a real browser: a passkey of Chromium's virtual authenticator, added on the way to a decision."""

import pytest
from allauth.mfa.models import Authenticator

from approvals.models import Decision
from tests import make
from tests.browser.test_deciding import fill_in


@pytest.fixture
def request_of_two(unit, people):
    make.policy()
    return make.request("4860.00", by=make.actor(people))


@pytest.fixture
def rosa(unit):
    """A reviewer who has no factor yet."""
    return make.person("rosa", "view", "review", of=unit)


def with_a_device(person):
    """A built-in authenticator that its owner unlocks whenever it asks."""
    devtools = person.context.new_cdp_session(person.page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return person


def add_a_passkey(page):
    page.goto("/preferences/factors/passkeys/")
    page.get_by_label("Your password").fill(make.PASSWORD)
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_text("The passkey is made.").wait_for()
    page.get_by_role("button", name="Add the passkey").click()
    page.wait_for_url("**/preferences/factors/")


class TestAPasskey:
    @pytest.mark.slow
    def test_is_added_on_the_way_to_a_decision_and_confirms_it(self, request_of_two, rosa, opened):
        person = with_a_device(opened("rosa"))
        page = person.page
        page.goto(request_of_two.get_absolute_url())
        assert person.axe() == []
        page.get_by_role("link", name="Add one").click()
        assert person.axe() == []
        page.get_by_role("link", name="Passkey").click()
        page.get_by_label("Name").fill("my laptop")
        page.get_by_label("Your password").fill(make.PASSWORD)
        page.get_by_role("button", name="Make a passkey").click()
        page.get_by_text("The passkey is made.").wait_for()
        assert person.axe() == []
        page.get_by_role("button", name="Add the passkey").click()

        page.wait_for_url(f"**{request_of_two.get_absolute_url()}")
        for box in page.query_selector_all("#decision-form input[name=viewed]"):
            box.evaluate("box => { box.checked = true }")
        fill_in(page)
        page.locator("#decision-form").get_by_role("button", name="Use a passkey").click()
        page.get_by_text("Your device has confirmed it.").wait_for()
        # What is half under the bar at the top is no smaller for it.
        page.evaluate("scrollTo(0, 0)")
        assert person.axe() == []
        page.locator("#decision-form button[type=submit]").click()
        page.wait_for_selector("text=You approved this")

        assert person.axe() == []
        made = Decision.objects.get().confirmation
        assert (made.kind, made.factor_name, made.digest) == ("webauthn", "my laptop", request_of_two.digest)

    def test_confirms_a_no_of_somebody_who_has_signed(self, request_of_two, rosa, opened, tmp_path):
        person = with_a_device(opened("rosa", viewport={"width": 1280, "height": 1000}))
        page = person.page
        add_a_passkey(page)
        make.approved(request_of_two, rosa)

        page.goto(request_of_two.get_absolute_url())
        page.click("summary:has-text('Reject it after all')")
        page.select_option("#decision_reason_code", "wrong_target")
        page.screenshot(path=tmp_path / "after-all.png")
        assert person.axe() == []
        page.locator("#decision-form").get_by_role("button", name="Use a passkey").click()
        page.get_by_text("Your device has confirmed it.").wait_for()
        page.click("#decision-form button[type=submit]")
        page.wait_for_selector("text=You rejected this")

        assert person.axe() == []
        assert [made.verdict for made in Decision.objects.order_by("at")] == ["approve", "reject"]

    @pytest.mark.slow
    def test_stays_in_the_form_through_a_live_update(self, request_of_two, rosa, opened):
        person = with_a_device(opened("rosa"))
        page = person.page
        add_a_passkey(page)
        page.goto(request_of_two.get_absolute_url())
        page.locator("#decision-form").get_by_role("button", name="Use a passkey").click()
        page.get_by_text("Your device has confirmed it.").wait_for()
        before = page.input_value("#decision_assertion")

        with page.expect_response(lambda answer: answer.request.headers.get("x-live") == "1" and answer.status == 200):
            make.approved(request_of_two, make.person("linus"))
        page.get_by_text("1 of 2").first.wait_for()

        assert before
        assert page.input_value("#decision_assertion") == before

    @pytest.mark.slow
    def test_that_is_sent_before_it_was_made_is_told_what_comes_first(self, rosa, opened):
        person = with_a_device(opened("rosa"))
        page = person.page
        page.goto("/preferences/factors/passkeys/")
        page.get_by_label("Your password").fill(make.PASSWORD)

        page.keyboard.press("Enter")

        page.get_by_text("Press “Make a passkey on this device” first.").wait_for()
        person.problems.clear()  # the browser itself logs a 422 as a failed load

    @pytest.mark.slow
    def test_says_that_the_sign_in_has_run_out_and_that_the_connection_is_lost(self, rosa, opened):
        person = with_a_device(opened("rosa"))
        page = person.page
        page.goto("/preferences/factors/passkeys/")
        person.context.set_offline(True)
        page.get_by_role("button", name="Make a passkey").click()
        page.wait_for_selector("#alert:has-text('The connection was lost.')")
        person.context.set_offline(False)
        person.problems.clear()  # the browser itself logs the failed load
        person.context.clear_cookies(name="sessionid")

        page.get_by_role("button", name="Make a passkey").click()

        page.wait_for_selector("#alert:has-text('Your sign-in has run out.')")

    @pytest.mark.slow
    def test_says_where_it_works_when_the_site_is_opened_under_another_name(self, rosa, opened):
        person = with_a_device(opened("rosa"))
        elsewhere = person.home.replace("localhost", "127.0.0.1")
        session = next(cookie["value"] for cookie in person.context.cookies() if cookie["name"] == "sessionid")
        person.context.add_cookies([{"name": "sessionid", "value": session, "url": elsewhere}])
        person.page.goto(f"{elsewhere}/preferences/factors/passkeys/")

        person.page.get_by_role("button", name="Make a passkey").click()

        person.page.wait_for_selector("#alert:has-text('only where the site is opened as localhost.')")


@pytest.mark.slow
class TestAnApp:
    def test_is_shown_as_a_picture_and_a_key(self, rosa, opened):
        person = opened("rosa")
        person.page.goto("/preferences/factors/app/")

        assert person.axe() == []
        assert person.page.evaluate("document.querySelector('img.qr').naturalWidth") > 50


class TestAFactorThatIsTakenAwayMeanwhile:
    def test_is_told_with_what_to_do_and_what_was_typed_stays(self, request_of_two, opened):
        person = opened("grace")
        page = person.page
        page.goto(request_of_two.get_absolute_url())
        page.check("#decision_verdict_reject")
        page.select_option("#decision_reason_code", "other")
        page.fill("#decision_note", "No such invoice")
        page.fill("#decision_code", "123456")
        Authenticator.objects.filter(user__username="grace").delete()

        page.click("text=Record decision")
        page.wait_for_selector("#alert:has-text('This decision takes a second factor')")
        person.problems.clear()  # the browser itself logs a 403 as a failed load

        assert "Add one under Preferences, Second factors, and come back." in page.inner_text("#alert")
        assert page.input_value("#decision_note") == "No such invoice"
        assert not Decision.objects.exists()
