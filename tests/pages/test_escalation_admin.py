"""The escalation ladder in the admin, and what the review page and the queue show of it."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.urls import reverse

from approvals.models import EscalationLevel
from approvals.operations.escalation import escalate_due
from audit.actors import system
from tests import make
from tests.pages.asking import browser_of
from tests.pages.test_admin import verb

ADD = "admin:approvals_escalationlevel_add"


def administrator(name, unit):
    user = make.person(name, "view", of=unit, staff=True)
    names = [f"{verb}_{model}" for verb in ("add", "change", "view") for model in ("escalationlevel", "user")]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return browser_of(user)


@pytest.fixture
def ann(unit):
    return administrator("ann", unit)


@pytest.fixture
def bob(unit):
    return administrator("bob", unit)


def draft(browser, unit, **fields):
    rung = {"name": "risk", "unit_id": str(unit.pk), "after_percent": "60", "group": "", "person": "", **fields}
    return browser.post(reverse(ADD), rung)


class TestLevel:
    def test_is_drafted_by_one_and_activated_by_another(self, ann, bob, unit):
        draft(ann, unit, group=str(Group.objects.create(name="Risk desk").pk))
        row = EscalationLevel.objects.get()

        verb(ann, row, "activate")
        row.refresh_from_db()
        assert row.status == "draft"
        verb(bob, row, "activate")
        row.refresh_from_db()
        assert row.status == "active"

    def test_asks_a_group_or_a_person(self, ann, unit):
        assert "one of the two" in draft(ann, unit).content.decode()

    def test_asks_only_people_who_could_sign_there(self, ann, unit, vera):
        assert "does not review in the unit" in draft(ann, unit, person=str(vera.pk)).content.decode()
        assert not EscalationLevel.objects.exists()

    def test_is_nothing_for_whoever_may_not_configure(self, unit):
        clerk = browser_of(make.person("clerk", "view", of=unit, staff=True))

        assert clerk.get(reverse(ADD)).status_code == 403


class TestShown:
    @pytest.fixture
    def escalated(self, unit, ada, linus):
        level = EscalationLevel(name="head", after_percent=40, person=linus)
        make._activated(level)
        make.policy(name="hold", condition="", required=1, on_timeout="hold", reason="Look")
        request = make.request(by=make.actor(ada))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_approvalrequest SET created_at = created_at - interval '48 hours',"
                           " decide_by = decide_by - interval '36 hours', next_notice_at = clock_timestamp()")  # fmt: skip
        escalate_due(by=system("test"))
        return request

    def test_in_the_queue_with_badges_and_whom_it_went_to(self, escalated, as_grace):
        page = as_grace.get("/approvals/").content.decode()

        assert "Escalated</span>" in page
        assert "Overdue</span>" in page
        assert "escalated to linus" in page

    def test_on_the_page_with_every_step_and_its_exact_times(self, escalated, as_grace):
        page = as_grace.get(escalated.get_absolute_url()).content.decode()

        assert "Escalation, 40 % of the time" in page
        assert page.count("Reminder, ") == 2
        assert "Escalated to linus after 40 % of the time" in page

    def test_to_whoever_was_asked(self, escalated, as_linus, as_grace):
        assert escalated.title in as_linus.get("/approvals/?held=me").content.decode()
        assert escalated.title not in as_grace.get("/approvals/?held=me").content.decode()
