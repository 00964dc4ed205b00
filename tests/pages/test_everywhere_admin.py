"""What holds in every business unit is configured by people who see every one of them, and by nobody else."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from approvals.models import ApprovalPolicy, Bypass
from audit.definitions import HoldsEverywhere, activate, draft, edit, retire
from budgets.models import Budget
from budgets.permissions import grant
from tests import make
from tests.pages.asking import browser_of
from tests.pages.test_admin import address, verb

MODELS = [
    "approvalpolicy", "reviewergroup", "businesscalendar", "escalationlevel", "bypass", "budget", "budgetexception", "price",
    "limit", "servicelevel", "webhookendpoint", "tool",
]  # fmt: skip
SITE_WIDE = [
    "approvals_approvalpolicy", "approvals_reviewergroup", "approvals_businesscalendar", "approvals_escalationlevel",
    "approvals_bypass", "approvals_webhookendpoint", "budgets_budget", "budgets_price", "orchestrator_limit",
    "orchestrator_servicelevel",
]  # fmt: skip
BYPASS = {
    "name": "haste", "tool": "erp.post_adjustment", "agent": "", "unit_id": "", "tier": "informational", "minutes": "60",
    "reason": "It is needed in our own unit for a while",
}  # fmt: skip
LOOSE = {
    "name": "two-above-1000", "unit_id": "", "tool": "erp.post_adjustment", "condition": "false", "verdict": "hold",
    "required": "0", "reason": "Nothing", "decide_within_seconds": "3600", "use_within_seconds": "600",
    "on_timeout": "reject", "step_up": "tier",
}  # fmt: skip


def administrator(name, *units):
    user = make.person(name, "view", of=units[0], staff=True)
    for more in units[1:]:
        grant(user, "view", more)
    codenames = [f"{verb}_{model}" for verb in ("add", "change", "view") for model in MODELS]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def elsewhere(unit):
    return make.unit("elsewhere", "Elsewhere")


@pytest.fixture
def ann(elsewhere):
    """Sees only Elsewhere, as bob does."""
    return administrator("ann", elsewhere)


@pytest.fixture
def bob(elsewhere):
    return administrator("bob", elsewhere)


@pytest.fixture
def root(unit, elsewhere):
    """Sees every unit."""
    return administrator("root", unit, elsewhere)


def offers_every_unit(browser, model):
    page = browser.get(reverse(f"admin:{model}_add")).content.decode()
    select = page[page.index('name="unit_id"') :].partition("</select>")[0]
    return "Every business unit" in select


class TestWhoeverSeesOneUnit:
    @pytest.mark.parametrize("model", SITE_WIDE)
    def test_is_offered_their_own_and_not_every_unit(self, ann, root, model):
        assert (offers_every_unit(browser_of(ann), model), offers_every_unit(browser_of(root), model)) == (False, True)

    def test_drafts_no_bypass_of_every_unit(self, ann):
        make.tool(tier="financial")

        page = browser_of(ann).post(reverse("admin:approvals_bypass_add"), BYPASS).content.decode()

        assert "What holds in every unit is configured by administrators who see every one." in page
        assert not Bypass.objects.exists()

    def test_drafts_one_of_their_own_which_reaches_no_other_unit(self, unit, elsewhere, ann, bob):
        tool = make.tool(tier="financial")
        browser_of(ann).post(reverse("admin:approvals_bypass_add"), {**BYPASS, "unit_id": str(elsewhere.pk)})

        verb(browser_of(bob), Bypass.objects.get(), "activate")

        assert Bypass.objects.get().status == "active"
        assert make.action(of=unit, using=tool).status == "held"

    def test_makes_no_new_version_of_a_policy_of_every_unit(self, ann):
        policy = make.policy()

        page = verb(browser_of(ann), policy, "version", follow=True).content.decode()

        assert "This approval policy holds in every business unit, and you do not see every one of them." in page
        assert ApprovalPolicy.objects.count() == 1

    def test_neither_edits_nor_activates_nor_retires_such_a_draft(self, ann, root):
        browser = browser_of(ann)
        browser_of(root).post(reverse("admin:approvals_approvalpolicy_add"), {**LOOSE, "condition": ""})
        row = ApprovalPolicy.objects.get()

        edited = browser.post(address(row, "change"), LOOSE)
        verb(browser, row, "activate")
        browser.post(address(row, "retire"), {"why": "not wanted"})

        row.refresh_from_db()
        assert edited.status_code == 403
        assert (row.status, row.condition) == ("draft", "")

    def test_reads_it_without_buttons_and_is_told_why(self, ann):
        page = browser_of(ann).get(address(make.policy(), "change")).content.decode()

        assert "data-verb" not in page
        assert re.search(r'class="why-not">This approval policy holds in every business unit', page)

    def test_is_refused_by_the_verbs_themselves_as_well(self, elsewhere, ann, bob):
        by = make.actor(ann)
        site_wide = Budget(name="all", measure="tokens", limit=10)
        with pytest.raises(HoldsEverywhere):
            draft(site_wide, by=by)
        draft(site_wide, by=make.MAKER)
        own = Budget(name="ours", measure="tokens", limit=10, unit_id=elsewhere.pk)
        draft(own, by=by)

        for wanted in ("activate", "retire", "narrow", "widen"):
            with pytest.raises(HoldsEverywhere):
                {
                    "activate": lambda: activate(site_wide, by=by),
                    "retire": lambda: retire(site_wide, by=by, why="not wanted"),
                    "narrow": lambda: edit(changed(site_wide, elsewhere.pk), by=by, changed=["unit_id"]),
                    "widen": lambda: edit(changed(own, None), by=by, changed=["unit_id"]),
                }[wanted]()

    def test_configures_a_tool_which_has_no_unit(self, ann):
        tool = make.tool()

        verb(browser_of(ann), tool, "version")

        assert type(tool).objects.filter(name=tool.name, status="draft").exists()


def changed(row, unit_id):
    fresh = type(row).objects.get(pk=row.pk)
    fresh.unit_id = unit_id
    return fresh


class TestWhoeverSeesEveryUnit:
    def test_puts_a_policy_of_every_unit_in_force(self, unit, elsewhere, root):
        other = administrator("other_root", unit, elsewhere)
        browser_of(root).post(reverse("admin:approvals_approvalpolicy_add"), LOOSE)

        verb(browser_of(other), ApprovalPolicy.objects.get(), "activate")

        assert ApprovalPolicy.objects.get().status == "active"

    def test_sees_it_from_the_unit_above(self, unit):
        top = make.unit("group")
        make.unit("below", parent=top)
        user = administrator("top", top)
        assert not offers_every_unit(browser_of(user), "budgets_budget")

        grant(user, "view", unit)

        assert offers_every_unit(browser_of(user), "budgets_budget")

    def test_is_not_kept_from_it_by_a_unit_that_is_only_a_draft(self, root):
        draft(type(make.unit())(name="later", title="Later"), by=make.MAKER)

        assert offers_every_unit(browser_of(root), "budgets_budget")
