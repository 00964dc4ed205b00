"""Wrong passwords before somebody is signed in: counted for whom, locked for how long, and by whom not."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from approvals.authentication import sign_ins
from approvals.authentication.guessing import IN_A_ROW
from approvals.models import SignInTries
from audit import presenters
from audit.lifecycle import database_now
from audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db
LOCKED = "Too many wrong tries"
WRONG = "Please enter a correct username and password"


@pytest.fixture
def grace():
    return make.person("grace", "view", "review")


def tries(name="grace", password="guessed", *, browser=None, address="203.0.113.7", **headers):
    """The whole page that answers, "" where it lets in."""
    sent = {"username": name, "password": password}
    answer = (browser or Client()).post(reverse("login"), sent, REMOTE_ADDR=address, headers=headers)
    return "" if answer.status_code == 302 else answer.content.decode()


def locks_out(name="grace", **more):
    for _ in range(IN_A_ROW):
        assert WRONG in tries(name, **more)


def locks():
    return [presenters.facts_of(event) for event in AuditEvent.objects.filter(event="person.sign_in_locked")]


def only(count, kind, monkeypatch):
    """Fewer an hour than in production, so that the test need not try so often."""
    monkeypatch.setitem(sign_ins.MOST_AN_HOUR, kind, count)


def later(**by):
    """As if that much time had passed since."""
    for row in SignInTries.objects.all():
        row.since -= timedelta(**by)
        row.seen_at -= timedelta(**by)
        row.locked_until = row.locked_until and row.locked_until - timedelta(**by)
        row.save()


class TestTheSixthTry:
    def test_is_locked_even_with_the_right_password(self, grace):
        locks_out()

        assert LOCKED in tries(password=make.PASSWORD)

    def test_hears_the_same_whether_the_name_exists_or_not(self, grace):
        locks_out("grace")
        locks_out("nobody")

        assert message(tries("grace")) == message(tries("nobody"))

    def test_is_not_recorded_as_a_failure_and_the_lock_is_once(self, grace):
        locks_out()
        for _ in range(3):
            tries()

        assert AuditEvent.objects.filter(event="person.sign_in_failed").count() == IN_A_ROW
        assert [(told["counted"], told["wrong"]) for told in locks()] == [("name and address", IN_A_ROW)]

    def test_is_of_the_same_name_however_it_is_written(self, grace):
        for name in ("grace", "Grace", " GRACE", "grace ", "\uff47race"):
            tries(name)

        assert LOCKED in tries(password=make.PASSWORD)

    def test_lets_others_in_from_the_same_address(self, grace):
        make.person("linus", "view")
        locks_out()

        assert tries("linus", make.PASSWORD) == ""

    def test_finds_no_second_door_at_the_admin(self, grace):
        answer = Client().post("/admin/login/", {"username": "grace", "password": make.PASSWORD})

        assert answer["Location"].startswith("/login/")


def message(page):
    return page[page.index(LOCKED) :].partition("<")[0]


class TestALock:
    def test_ends_and_the_next_one_is_twice_as_long(self, grace):
        locks_out()
        later(minutes=15, seconds=1)
        locks_out()
        later(minutes=16)

        assert LOCKED in tries(password=make.PASSWORD)

        later(minutes=15)
        assert tries(password=make.PASSWORD) == ""

    def test_is_far_again_after_a_right_password(self, grace):
        for _ in range(IN_A_ROW - 1):
            tries()
        assert tries(password=make.PASSWORD) == ""

        locks_out()

    def test_is_forgotten_two_days_after_the_last_try(self, grace):
        tries()
        assert sign_ins.forget_old() == 0

        later(days=2, seconds=1)
        assert sign_ins.forget_old() == 3
        assert not SignInTries.objects.exists()

    def test_keeps_neither_name_nor_address_in_the_clear(self, grace):
        locks_out()

        assert all(len(row.key) == 64 and int(row.key, 16) for row in SignInTries.objects.all())
        assert "203.0.113.7" not in str(list(AuditEvent.objects.values_list("why", "data")))


class TestAnAddress:
    def test_tries_so_many_names_an_hour(self, grace, monkeypatch):
        only(3, "address", monkeypatch)
        for name in ("ann", "bob", "cid"):
            tries(name)

        assert LOCKED in tries(password=make.PASSWORD)
        assert tries(password=make.PASSWORD, address="203.0.113.8") == ""
        assert [told["counted"] for told in locks()] == ["address"]

        later(hours=1, seconds=1)
        assert tries(password=make.PASSWORD) == ""

    def test_is_not_set_back_by_an_account_of_ones_own(self, grace, monkeypatch):
        only(3, "address", monkeypatch)
        for name in ("ann", "bob"):
            tries(name)
        assert tries(password=make.PASSWORD) == ""
        tries("cid")

        assert LOCKED in tries(password=make.PASSWORD)

    def test_counts_by_the_hour(self, grace, monkeypatch):
        only(2, "address", monkeypatch)
        tries("ann")
        later(hours=1, seconds=1)
        tries("bob")

        assert locks() == []
        assert database_now() - SignInTries.objects.latest("since").since < timedelta(minutes=1)

    @pytest.mark.parametrize("same", ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "[2001:db8:1:2::7]:4711"])
    def test_of_ipv6_is_its_network(self, same, rf):
        assert address_of(rf, same) == address_of(rf, "2001:db8:1:2:abcd::5") != address_of(rf, "2001:db8:1:3::1")

    @pytest.mark.parametrize("same", ["203.0.113.7:4711", "::ffff:203.0.113.7"])
    def test_of_ipv4_has_no_port_and_one_spelling(self, same, rf):
        assert address_of(rf, same) == "203.0.113.7"


def address_of(rf, direct, passed=""):
    headers = {"X-Forwarded-For": passed} if passed else {}
    return sign_ins.origin_of(rf.post("/login/", REMOTE_ADDR=direct, headers=headers), "grace").address


class TestAForgedHeader:
    def test_does_not_unlock_where_no_proxy_is_in_front(self, grace):
        for number in range(IN_A_ROW):
            tries(**{"X-Forwarded-For": f"198.51.100.{number}"})

        assert LOCKED in tries(password=make.PASSWORD, **{"X-Forwarded-For": "198.51.100.99"})

    def test_does_not_unlock_behind_a_proxy_that_adds_what_it_saw(self, grace, settings):
        settings.BEHIND_PROXY = True
        for number in range(IN_A_ROW):
            tries(address="10.0.0.1", **{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7"})

        assert LOCKED in tries(address="10.0.0.1", **{"X-Forwarded-For": "192.0.2.1, 192.0.2.2, 203.0.113.7"})
        assert WRONG in tries(address="10.0.0.1", **{"X-Forwarded-For": "203.0.113.8"})

    @pytest.mark.parametrize(
        ("passed", "counted"),
        [
            ("192.0.2.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
            ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
            ("203.0.113.7", "10.0.0.1"),
            ("", "10.0.0.1"),
            (", 10.0.0.2", "10.0.0.1"),
        ],
    )
    def test_is_read_as_many_proxies_from_the_right_as_there_are(self, rf, settings, passed, counted):
        settings.BEHIND_PROXY, settings.PROXY_COUNT = True, 2

        assert address_of(rf, "10.0.0.1", passed) == counted


class TestAName:
    @pytest.fixture
    def locked(self, grace, monkeypatch):
        """Tried by many from everywhere, after grace had signed in with a device of hers."""
        only(3, "name", monkeypatch)
        own = Client()
        assert tries(password=make.PASSWORD, browser=own) == ""
        own.cookies.pop("sessionid")
        for number in range(3):
            tries(address=f"198.51.100.{number}")
        return own

    def test_is_locked_from_everywhere(self, locked):
        assert LOCKED in tries(password=make.PASSWORD, address="192.0.2.44")
        assert [told["counted"] for told in locks()] == ["name"]

    def test_is_let_in_from_a_device_of_its_owner(self, locked):
        assert tries(password=make.PASSWORD, browser=locked, address="192.0.2.44") == ""

    def test_is_not_guessed_for_ever_on_that_device(self, locked):
        for number in range(IN_A_ROW):
            assert WRONG in tries(browser=locked, address=f"198.51.100.{number + 100}")

        assert LOCKED in tries(password=make.PASSWORD, browser=locked, address="192.0.2.44")

    def test_is_not_let_in_from_somebody_elses_device(self, locked):
        make.person("linus", "view")
        other = Client()
        assert tries("linus", make.PASSWORD, browser=other) == ""
        other.cookies.pop("sessionid")

        assert LOCKED in tries(password=make.PASSWORD, browser=other, address="192.0.2.44")

    def test_is_let_in_from_that_device_though_a_neighbour_locked_the_whole_address(self, locked, monkeypatch):
        only(3, "address", monkeypatch)
        for name in ("linus", "eve", "bob"):
            tries(name, address="192.0.2.44")

        assert LOCKED in tries(password=make.PASSWORD, address="192.0.2.44")
        assert tries(password=make.PASSWORD, browser=locked, address="192.0.2.44") == ""

    def test_is_known_by_a_cookie_that_no_script_reads(self, locked):
        cookie = locked.cookies["device"]

        assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")
        assert "grace" not in cookie.value


class TestAPassword:
    def test_is_not_looked_at_while_locked(self, grace, settings):
        locks_out()
        settings.PASSWORD_HASHERS = ["no.such.Hasher"]

        assert LOCKED in tries(password=make.PASSWORD)

    def test_of_somebody_who_left_is_wrong_and_counted(self, grace):
        grace.is_active = False
        grace.save()
        for _ in range(IN_A_ROW):
            assert WRONG in tries(password=make.PASSWORD)

        assert LOCKED in tries(password=make.PASSWORD)
