"""What somebody typed is there again after a sign-in, and after a form that was not taken."""

import time
from functools import partial

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.template.loader import get_template
from django.urls import reverse
from playwright.sync_api import Route

from approvals.models import Stop
from orchestrator.gate.edit import edit
from tests import make

WHY = "postings are doubled"


def filled_in(page):
    page.goto("/stops/new/")
    page.check("#stop-form [name=what][value=unit]")
    page.select_option("#stop-form [name=unit]", index=1)
    page.fill("#stop-form [name=reason]", WHY)


def reason_on(page):
    page.wait_for_selector("#stop-form")
    return page.input_value("#stop-form [name=reason]")


def send(page):
    page.click("#stop-form button[type=submit]")


def cut_off(page, *, recorded):
    """The connection is lost on the way to the site, or on the way back."""

    def lost(route):
        if route.request.method != "POST":
            return route.continue_()
        if recorded:
            route.fetch(max_redirects=0)
        return route.abort("connectionreset")

    page.route("**/*", lost)


def late(route):
    time.sleep(0.6)
    route.continue_()


def reject(page):
    page.check("#decision_verdict_reject")
    page.select_option("#decision_reason_code", "other")


def sign_in(page, username):
    page.wait_for_selector("#id_username")
    page.fill("#id_username", username)
    page.fill("#id_password", make.PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector("header.bar")


@pytest.mark.slow
class TestAFormThatLoadsAPage:
    def test_is_filled_again_after_the_sign_in(self, people, opened):
        person = opened("ada")
        filled_in(person.page)
        person.context.clear_cookies(name="sessionid")

        send(person.page)
        person.page.wait_for_selector("text=Text you had typed is kept.")
        sign_in(person.page, "ada")

        assert reason_on(person.page) == WHY

    @pytest.mark.parametrize("status", [500, 503])
    def test_is_filled_again_after_the_site_had_failed(self, people, opened, status):
        person = opened("ada")
        filled_in(person.page)
        broken = get_template(f"{status}.html").render()
        failing = partial(Route.fulfill, status=status, body=broken, content_type="text/html")
        person.page.route("**/*", lambda route: failing(route) if route.request.method == "POST" else route.continue_())

        send(person.page)
        person.page.wait_for_selector(f"text=Error {status}")
        person.page.goto("/stops/new/")

        assert reason_on(person.page) == WHY
        person.problems.clear()  # the browser's own line about the answer

    @pytest.mark.parametrize("recorded", [False, True])
    def test_is_filled_again_and_says_so_when_no_answer_came(self, people, opened, recorded):
        page = opened("ada").page
        page.goto("/stops/")
        page.click("text=Stop something")
        filled_in(page)
        cut_off(page, recorded=recorded)

        send(page)
        page.wait_for_url("chrome-error://**")
        page.unroute("**/*")
        page.goto("/stops/")
        page.click("text=Stop something")

        assert reason_on(page) == WHY
        told = page.inner_text("#alert")
        assert "No answer came to the form that you sent." in told
        assert "It may have been recorded all the same" in told
        assert Stop.objects.exists() == recorded
        page.click("nav >> text=Work")
        page.wait_for_url("**/")
        assert page.inner_text("#alert") == "", "it is said once"

    def test_is_empty_for_somebody_else_who_signs_in_there(self, people, opened):
        person = opened("ada")
        filled_in(person.page)
        person.context.clear_cookies(name="sessionid")

        send(person.page)
        sign_in(person.page, "max")

        assert reason_on(person.page) == ""

    def test_is_empty_again_once_it_was_taken(self, people, opened):
        page = opened("ada").page
        filled_in(page)
        send(page)
        page.wait_for_url(f"**{Stop.objects.get().get_absolute_url()}")

        page.goto("/stops/new/")

        assert reason_on(page) == ""

    def test_from_before_a_sign_in_elsewhere_is_opened_again_with_its_text(self, people, opened):
        person = opened("ada")
        filled_in(person.page)
        another_tab = person.context.new_page()
        another_tab.goto("/login/")
        sign_in(another_tab, "ada")

        send(person.page)
        person.page.wait_for_selector("text=What you had typed is in it.")
        person.problems.clear()  # the browser itself logs a 403 as a failed load
        person.page.click("text=Open the form again")

        assert reason_on(person.page) == WHY
        assert not Stop.objects.exists()


class TestAFormThatWasNotTaken:
    """Its page then has the address that only takes forms."""

    def refused(self, person):
        page = person.page
        page.goto("/approvals/standing-in/")
        page.fill("#absence_away_from", "2031-12-10T09:00")
        page.fill("#absence_away_until", "2031-12-09T09:00")
        page.click("#absence-form button")
        page.wait_for_selector("text=Choose a later end.")
        person.problems.clear()  # the browser itself logs a 422 as a failed load
        page.fill("#absence_away_until", "2031-12-12T09:00")
        return page

    def until(self, page):
        page.wait_for_selector("#absence-form")
        return page.url.rpartition("/approvals/")[2], page.input_value("#absence_away_until")

    @pytest.mark.slow
    @pytest.mark.parametrize("script", [True, False])
    def test_opens_at_what_is_to_be_put_right_however_far_down_it_stands(self, people, opened, script):
        person = opened("grace", viewport={"width": 390, "height": 600}, java_script_enabled=script)
        page = self.refused(person)

        page.goto("/approvals/standing-in/")
        page.fill("#absence_away_until", "2011-12-09T09:00")
        page.click("#absence-form button")

        page.locator("#absence-form [data-errors]:focus").wait_for(timeout=5_000)
        person.problems.clear()
        assert 0 < page.locator("#absence-form [data-errors]").bounding_box()["y"] < 600

    @pytest.mark.slow
    def test_stays_there_when_the_scripts_come_after_the_page_was_drawn(self, people, opened):
        person = opened("grace", viewport={"width": 390, "height": 600})
        page = self.refused(person)

        page.goto("/approvals/standing-in/")
        page.route("**/app*.js", late)
        page.fill("#absence_away_until", "2011-12-09T09:00")
        page.click("#absence-form button")
        page.wait_for_selector("#absence-form [data-errors]:focus")
        page.wait_for_selector("html[data-js]")
        person.problems.clear()

        assert 0 < page.locator("#absence-form [data-errors]").bounding_box()["y"] < 600
        assert page.locator(".nav [aria-current]").bounding_box()["x"] < 390

    def test_comes_back_with_its_text_after_the_sign_in(self, people, opened):
        person = opened("grace")
        page = self.refused(person)
        person.context.clear_cookies(name="sessionid")

        page.click("#absence-form button")
        sign_in(page, "grace")

        assert self.until(page) == ("standing-in/", "2031-12-12T09:00")

    @pytest.mark.slow
    def test_leads_to_its_page_when_it_is_opened_as_an_address(self, people, opened):
        page = self.refused(opened("grace"))

        page.goto(page.url)

        page.wait_for_selector("h1:has-text('Delegation and absence')")


@pytest.mark.slow
class TestAFormThatStaysOnItsPage:
    def test_from_before_a_sign_in_elsewhere_offers_to_reload_with_its_text(self, people, opened):
        request = make.request("48.20", by=make.actor(people))
        person = opened("grace")
        person.page.goto(request.get_absolute_url())
        reject(person.page)
        person.page.fill("#decision_note", WHY)
        another_tab = person.context.new_page()
        another_tab.goto("/login/")
        sign_in(another_tab, "grace")

        person.page.keyboard.press("Control+Enter")
        person.page.wait_for_selector("#alert button:focus:has-text('Reload, keeping what you typed')")
        person.problems.clear()  # the browser itself logs a 403 as a failed load
        with person.page.expect_navigation():
            person.page.keyboard.press("Enter")

        assert person.page.input_value("#decision_note") == WHY
        reject(person.page)
        person.page.click("text=Record decision")
        person.page.wait_for_selector("text=You rejected this")


@pytest.mark.slow
class TestWhatThePageFilledIn:
    def test_is_as_somebody_else_has_made_it_meanwhile(self, people, opened):
        request = make.request("48.20", reference="ADJ-1", by=make.actor(people))
        person = opened("grace")
        page = person.page
        page.goto(request.get_absolute_url())
        page.click("#fold-edit summary")
        page.fill("#editform_note", WHY)
        edit(
            request_id=request.pk, by=make.actor(make.person("linus")), digest=request.digest, revision=request.revision,
            arguments=make.arguments("84.20", reference="ADJ-1"),
        )  # fmt: skip
        person.context.clear_cookies(name="sessionid")

        page.click("text=Store the edit")
        sign_in(page, "grace")
        page.wait_for_selector("#editform_note")

        shown = page.eval_on_selector_all("#edit-form input", "all => all.map(one => one.value)")
        assert page.input_value("#editform_note") == WHY
        assert ("84.20" in shown, "48.20" in shown) == (True, False)


def test_a_sign_in_page_says_who_is_signed_in_already_and_leads_on(people, opened):
    page = opened("ada").page
    page.goto("/login/?next=/stops/")

    page.wait_for_selector("text=You are signed in as ada")
    page.click("text=Go on")

    page.wait_for_url("**/stops/")


@pytest.mark.slow
class TestAnAccountInTheAdmin:
    def test_keeps_what_was_typed_and_which_groups_were_chosen_and_gives_none_back_that_was_taken(self, people, opened):
        kept, taken, _ = (Group.objects.create(name=name) for name in ("kept", "taken", "given"))
        people.groups.set([kept, taken])
        root = make.person("root", staff=True)
        get_user_model().objects.filter(pk=root.pk).update(is_superuser=True)
        pages = []
        for chooses in (True, False):
            person = opened("root")
            page = person.page
            page.goto(reverse("admin:auth_user_change", args=[people.pk]))
            page.fill("[name=last_name]", WHY)
            if chooses:
                page.select_option("#id_groups_from", label="given")
                page.click("#id_groups_add, #id_groups_add_link")
            pages.append(page)
            person.context.clear_cookies(name="sessionid")
            page.click("[name=_continue]")
            page.wait_for_selector("text=Text you had typed is kept.")
        people.groups.remove(taken)
        for page in pages:
            page.fill("[name=username]", "root")
            page.fill("[name=password]", make.PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_selector("text=What you had typed is back.")
            page.wait_for_selector("#id_groups_to")

        assert [page.input_value("[name=last_name]") for page in pages] == [WHY, WHY]
        chosen = [
            page.eval_on_selector_all("#id_groups_to option", "all => all.map(one => one.text)") for page in pages
        ]
        assert [set(one) for one in chosen] == [{"kept", "given"}, {"kept"}]

    def test_is_filled_again_and_says_so_when_no_answer_came(self, people, opened):
        root = make.person("root", staff=True)
        get_user_model().objects.filter(pk=root.pk).update(is_superuser=True)
        page = opened("root").page
        page.goto("/admin/")
        page.click("#content a[href='/admin/budgets/price/add/']")
        page.fill("[name=name]", WHY)
        cut_off(page, recorded=False)

        page.click("[name=_save]")
        page.wait_for_url("chrome-error://**")
        page.unroute("**/*")
        page.goto("/admin/")
        page.click("#content a[href='/admin/budgets/price/add/']")

        page.wait_for_selector("text=No answer came to the form that you sent.")
        assert page.input_value("[name=name]") == WHY


@pytest.mark.slow
class TestAFormAboutOneself:
    def signed_in_again(self, opened, address, fill):
        person = opened("ada")
        person.page.goto(address)
        fill(person.page)
        person.context.clear_cookies(name="sessionid")
        person.page.click("main button[type=submit]")
        person.page.wait_for_selector("text=Text you had typed is kept.")
        sign_in(person.page, "ada")
        person.page.wait_for_selector("text=What you had typed is back.")
        return person.page

    def test_keeps_what_was_chosen_and_ticked(self, people, opened):
        def fill(page):
            page.select_option("[name=time_zone]", "Asia/Tokyo")
            page.uncheck("[name=shortcuts]")
            page.check("[name=theme][value=dark]")

        page = self.signed_in_again(opened, "/preferences/", fill)

        assert page.input_value("[name=time_zone]") == "Asia/Tokyo"
        assert not page.is_checked("[name=shortcuts]")
        assert page.is_checked("[name=theme][value=dark]")
        assert not page.is_checked("[name=theme][value=system]")

    def test_keeps_the_quiet_hours(self, people, opened):
        def fill(page):
            page.check("[name=pace][value=daily]")
            page.fill("[name=quiet_from]", "22:00")

        page = self.signed_in_again(opened, "/preferences/notifications/", fill)

        assert page.input_value("[name=quiet_from]") == "22:00"
        assert page.is_checked("[name=pace][value=daily]")
