"""A business unit in the admin: its end takes two people and a reason, because nothing brings it back."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.urls import NoReverseMatch, reverse
from guardian.shortcuts import remove_perm

from approvals.models import Bypass
from audit import definitions
from audit.definitions import NeedsTwo, ask_to_retire, digest_of, retire
from audit.models import AuditEvent
from audit.refusals import Invalid, Refusal
from budgets.models import BusinessUnit
from tests import make
from tests.pages.test_admin import address, administrator, as_opened, verb
from tests.pages.test_everywhere_admin import administrator as of_bypasses

WHY = {"why": "the team is dissolved"}
LIST = "admin:budgets_businessunit_changelist"


@pytest.fixture
def first(unit):
    return administrator("ann", unit)


@pytest.fixture
def second(unit):
    return administrator("bob", unit)


def status(unit):
    return BusinessUnit.objects.get(pk=unit.pk).status


def page_of(browser, unit):
    return browser.get(address(unit, "change")).content.decode()


class TestAUnit:
    def test_is_retired_by_the_second_of_two_who_say_why(self, unit, first, second):
        first.post(address(unit, "ask"), WHY)
        first.post(address(unit, "retire"), WHY)
        assert status(unit) == "active"

        second.post(address(unit, "retire"), {"why": "so it is"})

        assert status(unit) == "retired"
        told = AuditEvent.objects.filter(stream=f"business_unit:{unit.pk}").order_by("seq").values_list("event", "why")
        assert list(told)[2:] == [
            ("business_unit.end_asked", WHY["why"]), ("business_unit.retired", "so it is"),
        ]  # fmt: skip

    def test_is_not_retired_by_one_alone_who_is_told_how_it_is_done(self, unit, first):
        page = first.post(address(unit, "retire"), WHY, follow=True).content.decode()

        assert status(unit) == "active"
        assert "One person alone cannot take this business unit out of force." in page

    def test_is_not_retired_without_a_reason_of_each(self, unit, first, second):
        page = first.post(address(unit, "ask"), {"why": "  "}, follow=True).content.decode()
        assert "Say why this business unit is retired." in page
        assert not AuditEvent.objects.filter(event="business_unit.end_asked").exists()

        first.post(address(unit, "ask"), WHY)
        second.post(address(unit, "retire"))
        assert status(unit) == "active"

    def test_says_who_asked_and_offers_each_what_they_may_do(self, unit, first, second):
        fresh = page_of(first, unit)
        first.post(address(unit, "ask"), WHY)
        own, others = page_of(first, unit), page_of(second, unit)

        assert ('data-verb="ask"' in fresh, 'data-verb="retire"' in fresh) == (True, False)
        assert ('data-verb="ask"' in own, 'data-verb="retire"' in own) == (False, False)
        assert ('data-verb="ask"' in others, 'data-verb="retire"' in others) == (False, True)
        assert "ann asked to retire it" in others
        assert WHY["why"] in others

    def test_is_not_retired_by_another_account_of_whoever_asked(self, unit):
        ann, twin = (make.person(name, "view", of=unit) for name in ("ann", "ann2"))
        make.linked("ann", ann, twin)
        ask_to_retire(unit, by=make.actor(ann), why="the team is dissolved")

        with pytest.raises(NeedsTwo):
            retire(unit, by=make.actor(twin), why="so it is")

    def test_is_not_retired_by_a_wish_that_stands_no_longer(self, unit, monkeypatch):
        ann, bob = (make.person(name, "view", of=unit) for name in ("ann", "bob"))
        ask_to_retire(unit, by=make.actor(ann), why="the team is dissolved")
        monkeypatch.setattr(definitions, "WISH_STANDS", timedelta(0))

        with pytest.raises(NeedsTwo):
            retire(unit, by=make.actor(bob), why="so it is")

    def test_is_not_retired_by_the_wish_of_somebody_who_does_not_see_it_any_more(self, unit):
        ann, bob = (make.person(name, "view", of=unit) for name in ("ann", "bob"))
        ask_to_retire(unit, by=make.actor(ann), why="the team is dissolved")
        remove_perm("budgets.view_businessunit", ann, unit)

        with pytest.raises(NeedsTwo):
            retire(unit, by=make.actor(bob), why="so it is")

    def test_is_asked_about_only_while_it_is_in_force(self, unit):
        ann, bob = (make.person(name, "view", of=unit) for name in ("ann", "bob"))
        ask_to_retire(unit, by=make.actor(ann), why="the team is dissolved")
        retire(unit, by=make.actor(bob), why="so it is")

        with pytest.raises(Refusal):
            ask_to_retire(unit, by=make.actor(ann), why="once more")


class TestWhatDoesNotProtect:
    def test_is_retired_by_one_person_with_a_reason(self, unit):
        ann = of_bypasses("ann", unit)
        row = make._activated(
            Bypass(
                name="haste", tool=make.tool().name, unit_id=unit.pk, tier="informational", minutes=60, reason="x" * 20
            )
        )
        with pytest.raises(Invalid, match="Say why this bypass is retired"):
            retire(row, by=make.actor(ann))

        retire(row, by=make.actor(ann), why="no longer needed")

        assert AuditEvent.objects.get(event="bypass.retired").why == "no longer needed"

    def test_asks_for_the_reason_on_its_page(self, first):
        tool = make.tool()
        assert 'name="why"' in first.get(address(tool, "change")).content.decode()

        page = verb(first, tool, "retire", follow=True).content.decode()

        assert "Say why this tool is retired." in page
        tool.refresh_from_db()
        assert tool.status == "active"


def drafted(name, parent, by):
    row = BusinessUnit(name=name, title=name.capitalize(), parent=parent)
    definitions.draft(row, by=make.actor(get_user_model().objects.get(username=by)))
    return row


def parents_offered(page):
    select = page.split('name="parent"')[1].partition("</select>")[0]
    return set(re.findall(r">([A-Z]\w+)</option>", select))


class TestADraftBelowAUnit:
    @pytest.fixture
    def stranger(self, unit):
        """Configures everything, and sees another unit only."""
        return administrator("sam", make.unit("elsewhere", "Elsewhere"))

    def test_is_there_for_whoever_sees_that_unit_and_for_nobody_else(self, unit, first, second, stranger):
        row = drafted("treasury", unit, "ann")

        assert ">Treasury<" in second.get(reverse(LIST)).content.decode()
        assert "Treasury" not in stranger.get(reverse(LIST)).content.decode()
        assert stranger.get(address(row, "change"))["Location"] == "/admin/"

    @pytest.mark.parametrize("name", ["activate", "retire"])
    def test_is_neither_activated_nor_retired_by_anybody_else(self, unit, first, stranger, name):
        row = drafted("treasury", unit, "ann")

        answer = stranger.post(address(row, name), {**WHY, "digest": digest_of(row)})

        assert (answer.status_code, status(row)) == (403, "draft")

    def test_is_put_below_a_unit_one_sees_and_below_no_other(self, unit, first, stranger):
        add = reverse("admin:budgets_businessunit_add")
        place = {"name": "desk", "title": "Desk", "parent": str(unit.pk), "currency": "EUR", "time_zone": "UTC"}

        assert parents_offered(stranger.get(add).content.decode()) == {"Elsewhere"}
        refused = stranger.post(add, place)
        assert "Select a valid choice" in refused.content.decode()
        assert not BusinessUnit.objects.filter(name="desk").exists()
        first.post(add, place)
        assert BusinessUnit.objects.get(name="desk").parent == unit

    def test_of_a_tree_that_is_all_drafts_yet_is_anybodys(self, first, second):
        top = drafted("top", None, "ann")
        below = drafted("below", top, "ann")

        page = second.get(address(below, "change")).content.decode()

        assert ">Below</" in second.get(reverse(LIST)).content.decode()
        assert "Top" in parents_offered(page)


class TestAVersionOfWhatHasNone:
    def test_is_at_no_address(self, unit, first):
        for kind in ("budgets_businessunit", "budgets_budgetexception", "approvals_bypass"):
            with pytest.raises(NoReverseMatch):
                reverse(f"admin:{kind}_version", args=[unit.pk])

        assert first.post(f"/admin/budgets/businessunit/{unit.pk}/version/").status_code in (302, 404)


class TestTheFirstUnit:
    def test_leads_whoever_activates_it_to_the_list_and_says_who_gives_roles(self, first, second):
        top = BusinessUnit(name="top", title="Top")
        definitions.draft(top, by=make.actor(get_user_model().objects.get(username="ann")))

        page = verb(second, top, "activate", follow=True).content.decode()

        assert status(top) == "active"
        assert "Top is in force now." in page
        assert "manage.py roles" in page
        assert "Perhaps it was deleted" not in page


class TestTheTree:
    UNIT = {"name": "below", "title": "Below", "parent": "", "owner": "", "currency": "EUR", "time_zone": "UTC"}

    def draft(self, browser, **fields):
        browser.post(reverse("admin:budgets_businessunit_add"), {**self.UNIT, **fields})
        return BusinessUnit.objects.filter(name=fields.get("name", "below")).first()

    def test_comes_into_force_from_the_top_down(self, unit, first, second):
        middle = self.draft(first, name="middle", title="Middle", parent=unit.pk)
        low = self.draft(first, parent=middle.pk)

        page = verb(second, low, "activate", follow=True).content.decode()

        assert status(low) == "draft"
        assert "Middle, which it stands below, is draft. Activate that one first." in page
        verb(second, middle, "activate")
        verb(second, low, "activate")
        assert status(low) == "active"

    def test_has_no_circles(self, first, second):
        high = self.draft(first, name="high")
        low = self.draft(first, parent=high.pk)
        first.post(address(high, "change"), {**self.UNIT, "name": "high", "parent": low.pk, **as_opened(first, high)})

        verb(second, low, "activate")
        verb(second, high, "activate")

        assert (status(low), status(high)) == ("draft", "draft")
