"""Policies as people see them: the groups and checks on the review page, and what an administrator reads before activating."""

from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from approvals.models import ApprovalPolicy, Decision
from audit.definitions import draft
from tests import make
from tests.authenticator import app_of

CHECK = "Does the amount match the invoice?"
MODELS = ["approvalpolicy", "reviewergroup", "businesscalendar", "linkedaccounts"]


@pytest.fixture
def admin(unit, people):
    user = make.person("bob", "view", of=unit, staff=True)
    codenames = [f"{verb}_{model}" for verb in ("add", "change", "view") for model in MODELS]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def asked(unit, people):
    """One from finance, where grace is, and one from risk, where linus is."""
    make.group("finance", make.person("grace"))
    make.group("risk", make.person("linus"))
    needs = make.needs("1 from finance", "1 from risk")
    make.policy("payments", needs=needs, checks=[CHECK], on_timeout="escalate", escalate_to="risk")
    return make.request("4860.00", by=make.actor(people))


@pytest.fixture
def drafted(asked):
    row = ApprovalPolicy(
        name="payments", version=2, tool="erp.post_adjustment", condition="double(args.amount) > 500.0", required=2,
        reason="A large payment", needs=make.needs("2 from finance or risk"), checks=[CHECK],
    )  # fmt: skip
    draft(row, by=make.actor(make.person("ann", "view")))
    for amount in ("600.00", "700.00"):
        make.action(amount)
    return row


def sign_in(page, username):
    page.fill("#id_username", username)
    page.fill("#id_password", make.PASSWORD)
    page.click("main button[type=submit]")


class TestTheReviewPage:
    @pytest.mark.slow
    def test_is_accessible_with_groups_and_checks(self, asked, opened):
        person = opened("grace")
        person.page.goto(asked.get_absolute_url())

        assert person.axe() == []
        assert "one from Finance and one from Risk" in person.page.inner_text("#review")
        assert "Risk is asked next" in person.page.inner_text("#review")

    def test_takes_a_yes_to_every_check_before_it_records_an_approval(self, asked, opened):
        person = opened("grace", java_script_enabled=False)
        page = person.page
        page.goto(asked.get_absolute_url())
        for box in page.query_selector_all("#decision-form input[name=viewed]"):
            box.check()
        page.check("#decision_verdict_approve")
        page.select_option("#decision_reason_code", "evidence_checked")
        page.fill("#decision_critical", "4,860")
        page.fill("#decision_code", app_of("grace").code())

        page.check("input[name=check_0][value=no]")
        page.click("text=Record decision")
        refused = page.inner_text("#decision")
        person.problems.clear()  # the browser itself logs a 422 as a failed load
        page.check("input[name=check_0][value=yes]")
        page.click("text=Record decision")

        assert "You answered no, so this cannot be approved." in refused
        assert "Confirmed with Authenticator app" in refused, "a code that was right is not asked for again"
        assert "It waits for one from Risk now." in page.inner_text("#decision")
        assert Decision.objects.get().answers == {CHECK: True}

    @pytest.mark.slow
    @pytest.mark.parametrize("width", [320, 390])
    def test_fits_a_narrow_screen(self, asked, opened, width):
        page = opened("grace", viewport={"width": width, "height": 800}).page

        for address in (asked.get_absolute_url(), reverse("approvals")):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    @pytest.mark.slow
    @pytest.mark.parametrize("width", [320, 390])
    def test_has_what_is_signed_in_sight_on_a_phone(self, asked, opened, width):
        page = opened("grace", viewport={"width": width, "height": 800}).page

        page.goto(asked.get_absolute_url())

        beyond = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"
        assert page.eval_on_selector_all("#review .scroll:has(.diff, [data-values])", beyond) == []
        assert "- row" in page.locator(".diff").aria_snapshot(), "it is still a table to whoever hears it"


class TestTheAdministratorsPages:
    @pytest.mark.slow
    def test_are_accessible(self, admin, drafted, opened):
        person = opened("bob")
        pages = [reverse(f"admin:approvals_approvalpolicy_{name}", args=[drafted.pk]) for name in ("change", "trial")]
        pages += [reverse(f"admin:approvals_{model}_add") for model in MODELS]
        faults = {}

        for address in pages:
            person.page.goto(address)
            if found := person.axe():
                faults[address] = found

        assert faults == {}

    def test_show_what_changed_since_the_draft_was_opened_and_activate_what_is_read_then(self, admin, drafted, opened):
        person = opened("bob")
        page = person.page
        page.goto(reverse("admin:approvals_approvalpolicy_change", args=[drafted.pk]))
        ApprovalPolicy.objects.filter(pk=drafted.pk).update(reason="A very large payment")

        page.click("button[data-verb=activate]")
        difference = page.inner_text("table.diff")
        found = person.axe()
        person.problems.clear()  # the browser itself logs a 409 as a failed load
        page.click("text=Read the draft as it is now")
        page.click("button[data-verb=activate]")

        assert "A very large payment" in difference.replace("\n", "")
        assert found == []
        assert ApprovalPolicy.objects.active().get(name="payments").version == 2
        assert urlsplit(page.url).path.endswith("/change/")

    @pytest.mark.slow
    def test_keep_what_was_typed_over_a_sign_in_that_ran_out(self, admin, asked, opened):
        person = opened("bob")
        page = person.page
        page.goto(reverse("admin:approvals_approvalpolicy_add"))
        page.fill("#id_name", "travel")
        page.fill("#id_condition", "double(args.amount) > 50.0")
        page.fill("#id_needs", "1 from finance")
        page.select_option("#id_escalate_to", "risk")
        page.check("[name=reason_codes][value=missing_evidence]")
        person.context.clear_cookies(name="sessionid")

        page.click("[name=_save]")
        page.wait_for_selector("text=Text you had typed is kept.")
        sign_in(page, "bob")

        page.wait_for_selector("text=What you had typed is back. It is not saved yet.")
        texts = [page.input_value(f"#id_{name}") for name in ("name", "condition", "needs", "escalate_to")]
        assert texts == ["travel", "double(args.amount) > 50.0", "1 from finance", "risk"]
        ticked = page.eval_on_selector_all("[name=reason_codes]:checked", "all => all.map(one => one.value)")
        assert ticked == ["missing_evidence"]
        assert not ApprovalPolicy.objects.filter(name="travel").exists()

    @pytest.mark.slow
    def test_bring_back_what_was_typed_and_not_what_somebody_else_has_changed_meanwhile(self, admin, drafted, opened):
        person = opened("bob")
        page = person.page
        page.goto(reverse("admin:approvals_approvalpolicy_change", args=[drafted.pk]))
        page.fill("#id_condition", "double(args.amount) > 600.0")
        ApprovalPolicy.objects.filter(pk=drafted.pk).update(reason="A very large payment", on_timeout="hold")
        person.context.clear_cookies(name="sessionid")

        page.click("[name=_save]")
        sign_in(page, "bob")
        page.wait_for_selector("text=What you had typed is back.")

        shown = [page.input_value(f"#id_{name}") for name in ("condition", "reason", "on_timeout")]
        assert shown == ["double(args.amount) > 600.0", "A very large payment", "hold"]

    @pytest.mark.slow
    def test_are_empty_again_once_a_form_was_taken(self, admin, asked, opened):
        page = opened("bob").page
        page.goto(reverse("admin:approvals_linkedaccounts_add"))
        page.fill("#id_name", "travellers")
        page.fill("#id_reason", "same passport")
        page.click("[name=_save]")
        page.wait_for_selector(".messagelist .success")

        page.goto(reverse("admin:approvals_linkedaccounts_add"))

        assert page.input_value("#id_name") == ""
        assert page.locator("text=What you had typed is back").count() == 0

    @pytest.mark.slow
    def test_make_one_new_version_of_three_impatient_clicks(self, admin, asked, opened):
        page = opened("bob").page
        payments = ApprovalPolicy.objects.get(name="payments")
        page.goto(reverse("admin:approvals_approvalpolicy_change", args=[payments.pk]))

        page.click("text=New version", click_count=3, delay=10)
        page.wait_for_selector("text=A draft changes nothing yet")

        assert ApprovalPolicy.objects.filter(name="payments").count() == 2

    @pytest.mark.slow
    def test_try_a_draft_on_past_actions(self, admin, drafted, opened):
        page = opened("bob").page
        page.goto(reverse("admin:approvals_approvalpolicy_change", args=[drafted.pk]))

        page.click("text=Try it on past actions")

        assert "two from Finance or Risk" in page.inner_text("#content")
        assert "Reviewer hours" in page.inner_text("#content")
