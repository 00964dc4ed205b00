"""The page of limits: where each stands, for whom it is there, and who may close an open breaker."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from audit.models import AuditEvent
from orchestrator.gate import limits
from orchestrator.models import Action, Breaker, Limit
from tests import make
from tests.pages.asking import browser_of

pytestmark = pytest.mark.usefixtures("looks_at_once")


@pytest.fixture
def as_ada(unit):
    return browser_of(make.person("ada", "view", "operate", of=unit))


@pytest.fixture
def as_grace(unit):
    return browser_of(make.person("grace", "view", "review", of=unit))


@pytest.fixture
def broken(unit):
    """A limit whose breaker is open: the ERP failed once too often."""
    row = make._activated(
        Limit(name="erp", unit_id=unit.pk, tool="erp.post_adjustment", breaks_after=1, at_once=4, why="the ERP is old")
    )
    limits.anything_is_limited.again()
    make.carried_out(Action.objects.get(pk=granted(unit)), "system_error", message="no answer")
    return Breaker.objects.get(limit=row)


@pytest.fixture
def everywhere(unit):
    """The same, of a limit that protects every unit."""
    row = make._activated(Limit(name="erp-of-all", tool="erp.post_adjustment", breaks_after=1))
    limits.anything_is_limited.again()
    make.carried_out(Action.objects.get(pk=granted(unit)), "system_error", message="no answer")
    return Breaker.objects.get(limit=row)


def granted(unit):
    request = make.request(of=unit)
    make.approved(request, make.person("linus", "view", "review", of=unit))
    return request.subject_id


@pytest.fixture(autouse=True)
def one_signature(db):
    make.policy(condition="", required=1)


def close(browser, breaker, reason="the vendor says it is back"):
    return browser.post(reverse("limit_closings", args=[breaker.limit_id]), {"reason": reason})


class TestThePage:
    def test_says_where_to_draft_one_while_there_is_none(self, as_ada):
        assert "No limit is in force" in as_ada.get("/limits/").content.decode()

    def test_shows_what_is_open_since_how_many_failures_and_why_there_is_a_limit(self, broken, as_ada):
        page = as_ada.get("/limits/").content.decode()

        for words in (
            "erp",
            "the ERP is old",
            "tool erp.post_adjustment",
            "Open</span>",
            "1 failure in a row",
            "0 of 4",
        ):
            assert words in page

    def test_shows_limits_of_other_units_to_nobody(self, broken):
        stranger = browser_of(make.person("eve", "view", "operate", of=make.unit("elsewhere")))

        assert "the ERP is old" not in stranger.get("/limits/").content.decode()
        assert close(stranger, broken).status_code == 404

    def test_asks_the_same_number_of_questions_however_many_limits_there_are(
        self, broken, as_ada, django_assert_max_num_queries
    ):
        for number in range(8):
            make._activated(Limit(name=f"more-{number}", per_minute=5))
        as_ada.get("/limits/")
        with django_assert_max_num_queries(15):
            as_ada.get("/limits/")


class TestClosing:
    def test_takes_an_operator_and_a_reason_and_is_recorded(self, broken, as_ada):
        assert close(as_ada, broken, reason="").status_code == 422
        assert close(as_ada, broken).status_code == 302

        broken.refresh_from_db()
        assert broken.status == "closed"
        assert AuditEvent.objects.filter(event="breaker.closed", why="the vendor says it is back").exists()
        assert close(as_ada, broken).status_code == 409

    def test_of_a_limit_of_every_unit_takes_an_administrator(self, everywhere, as_ada):
        page = as_ada.get("/limits/").content.decode()
        refused = close(as_ada, everywhere)
        everywhere.refresh_from_db()
        assert ("Close now" in page, "an administrator closes it" in page) == (False, True)
        assert (refused.status_code, everywhere.status) == (403, "open")
        assert "closing it takes an administrator" in refused.content.decode()

        root = make.person("root", "view", staff=True)
        root.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        assert "Close now" in browser_of(root).get("/limits/").content.decode()
        assert close(browser_of(root), everywhere).status_code == 302
        everywhere.refresh_from_db()
        assert everywhere.status == "closed"

    def test_is_not_offered_to_a_reviewer_and_refused(self, broken, as_grace):
        assert "Close now" not in as_grace.get("/limits/").content.decode()
        assert close(as_grace, broken).status_code == 404
