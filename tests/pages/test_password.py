"""One's own password: who may change it, what that takes, and which sign-ins end with the old one."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from approvals.authentication.factors import OWN_FACTORS
from approvals.authentication.guessing import IN_A_ROW
from approvals.models import Guesses
from audit.models import AuditEvent
from tests import make, passkey
from tests.authenticator import given_to
from tests.pages.asking import browser_of, fields_of, person_of

NEW = " a new one, with a space before "
PAGE = "/preferences/password/"


def change(browser, *, new=NEW, again=None, **proof):
    proof = proof or {"password": make.PASSWORD}
    return browser.post(reverse("password"), {"new": new, "again": new if again is None else again, **proof})


def signs_in(name, password):
    answer = Client().post(reverse("login"), {"username": name, "password": password})
    return answer.status_code == 302


def events():
    """What was written by the verbs; what the database writes beside them is tested in operations/test_people.py."""
    told = AuditEvent.objects.filter(event__startswith="person.").order_by("seq")
    besides = ("person.sign", "person.account", "person.role")
    return [event.event for event in told if not event.event.startswith(besides)]


class TestAPassword:
    def test_is_changed_by_whoever_knows_it_and_recorded_without_it(self, as_vera):
        answer = change(as_vera)

        assert answer["Location"] == reverse("preferences")
        assert signs_in("vera", NEW)
        assert not signs_in("vera", make.PASSWORD)
        assert events() == ["person.password_changed"]
        assert AuditEvent.objects.filter(event="person.account_changed").latest("at").actor_name == "vera"
        assert "a new one" not in "".join(AuditEvent.objects.values_list("data", flat=True))

    def test_ends_every_other_sign_in_and_not_this_one(self, vera, as_vera):
        elsewhere = browser_of(vera)
        change(as_vera)

        assert as_vera.get(PAGE).status_code == 200
        assert elsewhere.get(PAGE)["Location"].startswith("/login/")

    def test_is_not_changed_by_reading_the_page(self, as_vera):
        as_vera.get(PAGE, {"password": make.PASSWORD, "new": NEW, "again": NEW})

        assert signs_in("vera", make.PASSWORD)

    @pytest.mark.parametrize(
        ("new", "again", "said"),
        [
            ("short", None, "too short"),
            ("password1", None, "too common"),
            (NEW, "another one", "not the same as above"),
            ("", None, "Type the password you want"),
        ],
    )
    def test_is_not_replaced_by_a_bad_one(self, as_vera, new, again, said):
        answer = change(as_vera, new=new, again=again)

        assert (answer.status_code, said in answer.content.decode()) == (422, True)
        assert signs_in("vera", make.PASSWORD)

    def test_is_never_written_into_the_page_again(self, as_vera):
        page = change(as_vera, password="guessed").content.decode()

        assert "This is not your password." in page
        assert "a new one" not in page


class TestAGuess:
    def test_is_counted_and_recorded_and_the_sixth_is_not_looked_at(self, as_vera):
        for _ in range(IN_A_ROW):
            assert change(as_vera, password="guessed").status_code == 422

        assert change(as_vera).status_code == 409
        assert events() == ["person.factor_refused"] * IN_A_ROW + ["person.factor_locked"]
        assert not signs_in("vera", NEW)

    def test_of_a_bad_new_one_is_no_look_at_the_old_one(self, as_vera):
        change(as_vera, new="short", password="guessed")

        assert not Guesses.objects.exists()


class TestWhoeverHasAFactor:
    def test_shows_it_and_the_password_alone_changes_nothing(self, grace, as_grace):
        app = given_to(grace)

        assert change(as_grace).status_code == 422
        assert signs_in("grace", make.PASSWORD)

        assert change(as_grace, code=app.code())["Location"] == reverse("preferences")
        assert signs_in("grace", NEW)

    def test_may_show_a_passkey(self, as_grace):
        by = person_of(as_grace)
        signed = fields_of(passkey.of(by).sign(by, OWN_FACTORS))

        assert change(as_grace, **signed)["Location"] == reverse("preferences")


class TestTheAdminsLink:
    def test_leads_to_the_one_page(self, unit):
        boss = make.person("boss", "view", of=unit, staff=True)
        boss.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        guessed = {"old_password": "guessed", "new_password1": NEW, "new_password2": NEW}

        assert browser_of(boss).get(reverse("admin:password_change"))["Location"] == PAGE
        assert browser_of(boss).post(reverse("admin:password_change"), guessed)["Location"] == PAGE


class TestTheAdminsPageForAPassword:
    @pytest.fixture
    def boss(self, unit):
        user = make.person("boss", "view", of=unit, staff=True)
        user.user_permissions.add(*Permission.objects.filter(codename__in=["change_user", "view_user"]))
        return user

    def test_changes_nobodys_own(self, boss):
        typed = {"password1": NEW, "password2": NEW, "usable_password": "true"}

        for spelt in (str(boss.pk), f"0{boss.pk}"):
            address = reverse("admin:auth_user_password_change", args=[spelt])
            assert browser_of(boss).get(address)["Location"] == PAGE
            assert browser_of(boss).post(address, typed)["Location"] == PAGE
        assert signs_in("boss", make.PASSWORD)

    def test_changes_anothers_and_ends_their_sign_ins(self, boss, as_vera, vera):
        typed = {"password1": NEW, "password2": NEW, "usable_password": "true"}

        browser_of(boss).post(reverse("admin:auth_user_password_change", args=[vera.pk]), typed)

        assert signs_in("vera", NEW)
        assert as_vera.get(reverse("preferences")).status_code == 302
