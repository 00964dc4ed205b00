"""Whatever is done to people leaves an entry: by a page, a command or SQL. Signing in leaves none but its own."""

import json
import os
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.acting import acting
from audit.models import AuditEvent
from audit.presenters import tell
from audit.verify import first_break
from budgets.models import UnitUserPermission
from budgets.permissions import grant
from tests import make
from tests.pages.asking import browser_of
from tests.pages.test_admin import as_opened, hidden

PASSWORD = "chosen by ann 12"


@pytest.fixture
def unit(db):
    return make.unit()


@pytest.fixture
def grace(unit):
    return make.person("grace", "view", "review", of=unit)


@pytest.fixture
def ann(unit):
    """May change accounts and groups in the admin, and nothing else."""
    user = make.person("ann", "view", of=unit, staff=True)
    names = [f"{verb}_{noun}" for verb in ("add", "change", "delete", "view") for noun in ("user", "group")]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


@pytest.fixture
def since(request):
    """What was recorded of people since the world was made: (event, actor, facts)."""
    for name in {"grace", "ann", "unit"} & set(request.fixturenames):
        request.getfixturevalue(name)
    before = {event.pk for event in AuditEvent.objects.all()}

    def found():
        rows = AuditEvent.objects.filter(stream="security").exclude(pk__in=before).order_by("seq")
        return [
            (row.event, row.actor_name, json.loads(row.data))
            for row in rows
            if "role" in row.event or "account" in row.event
        ]

    return found


def newest():
    return AuditEvent.objects.filter(stream="security").order_by("-seq").first()


def sql(text, *params):
    with connection.cursor() as cursor:
        cursor.execute(text, params)


def typed(browser, user):
    """The form of the account's page as it stands there."""
    form = browser.get(reverse("admin:auth_user_change", args=[user.pk])).context["adminform"].form
    shown = {name: form[name].value() for name in form.fields if name != "password"}
    return {name: value for name, value in shown.items() if value not in (None, False, "")}


class TestTheAccountsPage:
    def test_that_makes_oneself_superuser_says_who_and_what(self, ann, since):
        browser = browser_of(ann)
        browser.post(reverse("admin:auth_user_change", args=[ann.pk]), {**typed(browser, ann), "is_superuser": "on"})

        ann.refresh_from_db()
        assert ann.is_superuser
        assert since() == [
            ("person.account_changed", "ann", {
                "person": f"user:{ann.pk}", "name": "ann", "changed": "is_superuser",
                "before": {"is_superuser": False}, "after": {"is_superuser": True}}),
        ]  # fmt: skip
        assert newest().actor == f"user:{ann.pk}"

    def test_that_sets_anothers_password_says_so_and_not_which(self, ann, grace, since):
        address = reverse("admin:auth_user_password_change", args=[grace.pk])
        browser_of(ann).post(address, {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"})

        assert Client().login(username="grace", password=PASSWORD)
        assert since() == [
            ("person.account_changed", "ann", {"person": f"user:{grace.pk}", "name": "grace", "changed": "password"})
        ]
        grace.refresh_from_db()
        assert not AuditEvent.objects.filter(data__contains=grace.password[-20:]).exists()

    def test_that_puts_somebody_in_a_group_tells_the_role(self, ann, grace, since):
        group = Group.objects.create(name="controllers")
        browser = browser_of(ann)
        browser.post(
            reverse("admin:auth_user_change", args=[grace.pk]), {**typed(browser, grace), "groups": [group.pk]}
        )

        told = {"person": f"user:{grace.pk}", "name": "grace", "role": "group controllers"}
        assert since() == [("person.role_given", "ann", told)]

    def test_that_gives_a_group_a_permission_tells_it(self, ann, since):
        permission = Permission.objects.get(codename="view_auditevent")
        browser_of(ann).post(reverse("admin:auth_group_add"), {"name": "auditors", "permissions": [permission.pk]})

        ((event, actor, told),) = since()
        assert (event, actor, told["name"], told["role"]) == (
            "group.role_given", "ann", "auditors", "audit.view_auditevent")  # fmt: skip

    def test_that_removes_people_in_bulk_tells_each(self, ann, since):
        gone = [get_user_model().objects.create(username=name) for name in ("x", "y")]
        chosen = {"action": "delete_selected", "_selected_action": [user.pk for user in gone], "post": "yes"}
        browser_of(ann).post(reverse("admin:auth_user_changelist"), chosen)

        told = [(event, actor, facts["name"]) for event, actor, facts in since() if event == "person.account_removed"]
        assert sorted(told) == [("person.account_removed", "ann", "x"), ("person.account_removed", "ann", "y")]


class TestAnOlderPageOfAnAccount:
    """Two have it open; the later one would put back, unseen, what the first has taken away."""

    def test_does_not_enable_it_again_nor_give_back_its_roles(self, ann, grace):
        group = Group.objects.create(name="controllers")
        grace.groups.add(group)
        browser, colleague = browser_of(ann), browser_of(ann)
        address = reverse("admin:auth_user_change", args=[grace.pk])
        opened = {**typed(browser, grace), **as_opened(browser, grace)}

        colleague.post(address, {"username": "grace", **as_opened(colleague, grace)})
        told = browser.post(address, {**opened, "email": "grace@example.com"}).content.decode()

        grace.refresh_from_db()
        assert (grace.is_active, list(grace.groups.all()), grace.email) == (False, [], "")
        assert "This was saved elsewhere after you had opened it" in told
        assert "controllers" in told
        assert "grace@example.com" in told
        again = {name: hidden(told, name) for name in ("digest", "read")}
        browser.post(address, {**again, "username": "grace", "email": "grace@example.com"})
        grace.refresh_from_db()
        assert (grace.is_active, grace.email) == (False, "grace@example.com")

    def test_does_not_show_its_password(self, ann, grace):
        assert (
            grace.password[-20:]
            not in browser_of(ann).get(reverse("admin:auth_user_change", args=[grace.pk])).content.decode()
        )

    def test_of_a_group_does_not_give_it_back_a_permission(self, ann):
        group = Group.objects.create(name="auditors")
        group.permissions.add(Permission.objects.get(codename="view_auditevent"))
        browser = browser_of(ann)
        address = reverse("admin:auth_group_change", args=[group.pk])
        opened = as_opened(browser, group)
        held = [permission.pk for permission in group.permissions.all()]

        browser.post(address, {**opened, "name": "auditors"})
        told = browser.post(address, {**opened, "name": "auditors of the site", "permissions": held}).content.decode()

        group.refresh_from_db()
        assert (group.name, group.permissions.count()) == ("auditors", 0)
        assert "This was saved elsewhere after you had opened it" in told


class TestSQL:
    def test_that_changes_an_account_is_told_of_nobody(self, grace, since):
        sql("UPDATE auth_user SET is_staff = true, password = 'stolen' WHERE id = %s", grace.pk)

        ((event, actor, told),) = since()
        assert (event, actor, told["changed"]) == ("person.account_changed", "database", "is_staff, password")
        assert (told["before"], told["after"]) == ({"is_staff": False}, {"is_staff": True})
        assert newest().actor == "system:database"

    def test_that_changes_many_tells_each_that_did_change(self, grace, ann, since):
        sql("UPDATE auth_user SET is_active = true, is_staff = true")

        assert [facts["name"] for _, _, facts in since()] == ["grace"]

    def test_that_moves_a_role_to_another_tells_both(self, grace, ann, since):
        sql("UPDATE budgets_unituserpermission SET user_id = %s WHERE user_id = %s AND permission_id = (SELECT id FROM "
            "auth_permission WHERE codename = 'review_businessunit')", ann.pk, grace.pk)  # fmt: skip

        assert [(event, facts["name"]) for event, _, facts in since()] == [
            ("person.role_taken", "grace"),
            ("person.role_given", "ann"),
        ]

    def test_leaves_chains_that_hold(self, grace):
        sql("UPDATE auth_user SET is_superuser = true")

        assert first_break("security", AuditEvent.objects.filter(stream="security").order_by("seq")) is None


class TestARoleOnAUnit:
    def test_is_given_and_taken_with_an_entry_that_its_auditors_read(self, unit, grace, since):
        vera = make.actor(make.person("vera", "audit", of=unit))
        eve = make.actor(make.person("eve", "audit", of=make.unit("elsewhere", "Elsewhere")))
        before = AuditEvent.objects.visible_to(vera).count()
        grant(grace, "operate", unit)
        UnitUserPermission.objects.filter(user=grace, permission__codename="operate_businessunit").delete()

        told = [(event, facts["name"], facts.get("role")) for event, _, facts in since()][-2:]
        role = f"budgets.operate_businessunit on {unit.name}"
        assert told == [("person.role_given", "grace", role), ("person.role_taken", "grace", role)]
        assert AuditEvent.objects.visible_to(vera).count() == before + 2
        assert not AuditEvent.objects.visible_to(eve).filter(data__contains="grace").exists()

    def test_is_told_of_a_group_as_well(self, unit, since):
        grant(Group.objects.create(name="reviewers"), "review", unit)

        ((event, _, told),) = since()
        assert (event, told["name"], told["role"]) == (
            "group.role_given", "reviewers", f"budgets.review_businessunit on {unit.name}")  # fmt: skip

    def test_that_is_there_already_is_told_once(self, unit, grace, since):
        grant(grace, "review", unit)

        assert since() == []


class TestACommand:
    def test_that_makes_a_superuser_tells_it(self, db, monkeypatch):
        monkeypatch.setitem(os.environ, "DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        call_command("createsuperuser", "--noinput", username="root", email="root@example.com", stdout=StringIO())

        event = AuditEvent.objects.get(event="person.account_made")
        told = json.loads(event.data)
        assert (event.actor, told["name"], told["after"]["is_superuser"]) == ("system:database", "root", True)
        assert "password" not in event.data
        assert tell(event, {}).title == "Made an account for root"


class TestSigningIn:
    def test_writes_its_own_entry_and_no_other(self, grace, since):
        before = AuditEvent.objects.count()
        assert Client().login(username="grace", password=make.PASSWORD)

        grace.refresh_from_db()
        assert grace.last_login is not None
        assert since() == []
        assert AuditEvent.objects.count() == before + 1

    def test_and_saving_what_is_the_same_writes_nothing(self, grace, since):
        grace.save()

        assert since() == []


class TestActing:
    def test_ends_with_its_block(self, grace, since):
        with acting(make.actor(grace)):
            sql("UPDATE auth_user SET is_staff = true WHERE id = %s", grace.pk)
        sql("UPDATE auth_user SET is_staff = false WHERE id = %s", grace.pk)

        assert [actor for _, actor, _ in since()] == ["grace", "database"]


def test_the_pages_of_the_queue_library_are_not_there():
    assert "django_q" not in {model._meta.app_label for model in admin.site._registry}
