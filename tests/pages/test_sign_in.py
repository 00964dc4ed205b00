"""Signing in and coming back; a "no" in the place where it can be read; preferences."""

import json
import re
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.signing import get_cookie_signer
from django.urls import reverse, reverse_lazy

from audit.models import AuditEvent
from tests import make
from tests.pages.asking import PART, browser_of


class TestExpiredSession:
    def test_sends_htmx_to_sign_in_and_back_to_the_page_it_stands_on(self, db, client):
        live = {**PART, "HX-Current-URL": "http://testserver/executions/?state=running"}

        answer = client.get(reverse("nav"), headers=live)

        assert answer.status_code == 204
        assert answer["HX-Redirect"] == "/login/?next=%2Fexecutions%2F%3Fstate%3Drunning"

    def test_brings_a_lost_form_back_to_the_page_it_stood_on(self, unit, client):
        request = make.request()
        page = f"http://testserver{reverse('approval', args=[request.pk])}"

        answer = client.post(reverse("approval_decisions", args=[request.pk]), {}, headers={"Referer": page})

        assert answer["Location"] == f"/login/?next=%2Fapprovals%2F{request.pk}%2F"

    def test_never_leads_to_another_site(self, unit, client):
        answer = client.post("/nav/", headers={"Referer": "https://evil.example/approvals/"})

        assert answer["Location"] == "/login/"


class TestADisabledAccount:
    def test_is_signed_in_nowhere_any_more_even_once_it_is_enabled_again(self, unit, vera, as_vera, as_grace):
        boss = make.person("boss", "view", of=unit, staff=True)
        boss.user_permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user"]))
        other = browser_of(vera)

        for tick in ({}, {"is_active": "on"}):
            ticked(browser_of(boss), vera, **tick)

        assert get_user_model().objects.get(username="vera").is_active
        pages = [browser.get(reverse("preferences")).status_code for browser in (as_vera, other, as_grace)]
        assert pages == [302, 302, 200]


def ticked(browser, user, **tick):
    """The account's form, sent as the administrator left it."""
    address = reverse("admin:auth_user_change", args=[user.pk])
    form = browser.get(address).context["adminform"].form
    texts = {name: form.initial.get(name) or "" for name in ("username", "first_name", "last_name", "email")}
    answer = browser.post(address, {**texts, **tick})
    assert answer.status_code == 302, answer.context["errors"]


class TestSigningOut:
    @pytest.mark.parametrize("address", [reverse_lazy("logout"), reverse_lazy("admin:logout")])
    def test_says_that_one_is_out(self, admin_client, address):
        page = admin_client.post(address, follow=True).content.decode()

        assert "<h1>Signed out</h1>" in page
        assert admin_client.get(reverse("work")).status_code == 302


class TestAnAddressThatOnlyTakesForms:
    """Where a browser comes after a sign-in that ran out on a form that was not taken, or with a restored tab."""

    @pytest.mark.parametrize(
        ("opened", "page"),
        [
            (reverse_lazy("standing_absences"), "/approvals/standing-in/"),
            (reverse_lazy("approval_default_view", args=[UUID(int=7)]), "/approvals/"),
            (reverse_lazy("approval_claim_renewal", args=[UUID(int=7)]), f"/approvals/{UUID(int=7)}/"),
            (reverse_lazy("admin:approvals_approvalpolicy_retire", args=[UUID(int=7)]),
             f"/admin/approvals/approvalpolicy/{UUID(int=7)}/"),
            (reverse_lazy("logout"), "/"),
        ],
    )  # fmt: skip
    def test_leads_a_browser_to_the_page_its_form_stands_on(self, admin_client, opened, page):
        answer = admin_client.get(opened, headers={"Accept": "text/html,*/*;q=0.8"}, follow=True)

        assert page in [address for address, _ in answer.redirect_chain]
        assert 405 not in {answer.status_code, *(status for _, status in answer.redirect_chain)}

    def test_tells_programs_and_parts_of_pages_that_it_takes_no_get(self, as_grace):
        told = [{}, {"Accept": "application/json"}, {**PART, "Accept": "text/html"}]

        assert [as_grace.get(reverse("standing_absences"), headers=one).status_code for one in told] == [405] * 3


class TestSignIn:
    def test_is_recorded_with_success_and_failure_but_not_with_what_was_typed(self, grace, client):
        before = AuditEvent.objects.filter(stream="security").count()
        client.post(reverse("login"), {"username": "grace", "password": "wrong wrong"})
        client.post(reverse("login"), {"username": "grace", "password": make.PASSWORD})

        told = AuditEvent.objects.filter(stream="security", seq__gt=before).order_by("seq")
        assert [event.event for event in told] == ["person.sign_in_failed", "person.signed_in"]
        assert "wrong wrong" not in "".join(event.why + event.data for event in told)

    def test_that_fails_says_so_and_not_that_nothing_was_recorded(self, grace, client):
        page = client.post(reverse("login"), {"username": "grace", "password": "wrong wrong"}).content.decode()

        assert "You are not signed in." in page
        assert "Nothing was recorded" not in page


class TestRefusal:
    def test_is_recorded_with_the_pattern_of_the_address_and_never_its_content(self, as_vera):
        secret = "01936f0e-7c1a-7d55-9b1e-3f2a4860c0de"

        as_vera.get(reverse("execution", args=[secret]), {"q": "secret"})

        event = AuditEvent.objects.get(event="request.refused")
        assert '"route":"GET /executions/<uuid:pk>/"' in event.data
        assert secret not in event.data
        assert event.actor_name == "vera"

    def test_is_a_part_for_htmx(self, unit, as_vera):
        letter = make.dead_letter()

        answer = as_vera.post(reverse("dead_letter_retries", args=[letter.pk]), headers=PART)

        assert answer.status_code == 403
        assert b"data-refusal" in answer.content
        assert b"<html" not in answer.content


def due_in(page):
    return re.search(r"data-due=.*?<time[^>]*>([^<]*)<", page, re.DOTALL)[1]


class TestPreferences:
    def test_dress_every_page_from_then_on(self, as_grace):
        chosen = {"theme": "dark", "density": "compact", "time_zone": "Asia/Tokyo", "shortcuts": ""}

        answer = as_grace.post(reverse("preferences"), chosen)
        page = as_grace.get(reverse("work")).content.decode()

        assert answer.status_code == 302
        assert 'data-theme="dark" data-density="compact"' in page
        assert 'data-shortcuts="off"' in page

    def test_outlive_a_sign_in(self, as_grace, grace):
        """A time typed before it ran out is meant in the same zone afterwards."""
        chosen = {"theme": "dark", "density": "compact", "time_zone": "Asia/Tokyo", "shortcuts": "on"}
        as_grace.post(reverse("preferences"), chosen)
        as_grace.post(reverse("logout"))

        as_grace.post(reverse("login"), {"username": "grace", "password": make.PASSWORD})
        page = as_grace.get(reverse("work")).content.decode()

        assert 'data-theme="dark"' in page
        assert 'data-zone="Asia/Tokyo"' in page

    def test_leave_a_page_in_the_zone_that_it_was_made_in(self, as_grace):
        """What it asks for is put beside times of that zone, also once another one was chosen in another tab."""
        make.request()
        page = as_grace.get(reverse("approvals")).content.decode()
        chosen = {"theme": "dark", "density": "compact", "time_zone": "Asia/Kathmandu"}
        as_grace.post(reverse("preferences"), chosen)

        part = as_grace.get(reverse("approvals"), headers={**PART, "X-Zone": "UTC"}).content.decode()

        assert '"X-Zone": "UTC"' in page
        assert due_in(part) == due_in(page)
        assert due_in(as_grace.get(reverse("approvals")).content.decode()) != due_in(page)

    def test_of_a_zone_that_this_host_no_longer_knows_are_in_utc(self, as_grace, grace):
        """Systems move old names of zones into a package of their own, and somebody has chosen one of them."""
        name = f"preferences-{grace.pk}"
        kept = json.dumps({"theme": "dark", "time_zone": "US/Nowhere"})
        as_grace.cookies[name] = get_cookie_signer(salt=name + name).sign(kept)

        page = as_grace.get(reverse("work")).content.decode()

        assert 'data-theme="dark"' in page
        assert 'data-zone="UTC"' in page

    def test_are_nobody_elses(self, as_grace, linus):
        chosen = {"theme": "dark", "density": "compact", "time_zone": "Asia/Tokyo", "shortcuts": "on"}
        as_grace.post(reverse("preferences"), chosen)
        mine = next(name for name in as_grace.cookies if name.startswith("preferences-"))
        as_grace.force_login(linus)
        as_grace.cookies[f"preferences-{linus.pk}"] = as_grace.cookies[mine].value

        assert 'data-theme="system"' in as_grace.get(reverse("work")).content.decode()

    @pytest.mark.parametrize("wrong", [{"theme": "pink"}, {"time_zone": "Mars/Olympus"}, {}])
    def test_refuse_what_is_not_offered(self, as_grace, wrong):
        assert as_grace.post(reverse("preferences"), {"density": "compact", **wrong}).status_code == 422
