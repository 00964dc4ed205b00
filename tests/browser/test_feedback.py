"""Learning from decisions in a real browser: a blind second look, a test item revealed, figures and cases; light and dark."""

import pytest
from django.contrib.auth.models import Permission

from approvals.models import EvaluationCase, SecondLook
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


class TestASecondLook:
    def test_is_taken_blind_and_then_compared(self, opened, people, unit, settings):
        settings.SECOND_LOOK_PERCENT = 100
        make.policy()
        request = make.request("2000.00")
        make.rejected(request, make.person("grace"), "No invoice at all")
        max_ = opened("max")
        max_.page.goto("/approvals/")
        max_.page.get_by_role("link", name="Second looks 1").click()
        assert max_.axe() == []
        max_.page.get_by_role("link", name="Post 2000.00 EUR").click()
        assert max_.page.get_by_text("changes nothing about the act").is_visible()
        assert max_.page.get_by_text("No invoice at all").count() == 0
        assert max_.axe() == []

        button = max_.page.get_by_role("button", name="Record my second look")
        assert button.get_attribute("aria-disabled") == "true"
        for name in ("act", "change", "evidence", "policy"):
            max_.page.locator(f"[data-section={name}]").scroll_into_view_if_needed()
            max_.page.locator(f"input[name=viewed][value={name}]:checked").wait_for()
        max_.page.get_by_label("Approve").check()
        max_.page.fill("#decision_critical", "2,000.00")
        max_.page.get_by_label("Reason").select_option("evidence_checked")
        button.click()

        max_.page.get_by_text("The two verdicts differ.").wait_for()
        assert max_.axe() == []
        assert SecondLook.objects.get().status == "disagreed"

    @pytest.mark.slow
    def test_fits_a_phone(self, opened, people, settings):
        settings.SECOND_LOOK_PERCENT = 100
        make.rejected(make.request(), make.person("grace"))
        max_ = opened("max", viewport={"width": 390, "height": 800})
        max_.page.goto(SecondLook.objects.get().get_absolute_url())

        assert max_.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.slow
class TestATestItem:
    def test_is_written_decided_and_revealed(self, opened, people, unit):
        make.policy("posts", condition="", required=1, test_items=True)
        make.person("max").user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        source = make.action()
        max_ = opened("max")
        max_.page.goto(source.get_absolute_url())
        max_.page.get_by_role("link", name="Make a test item of it").click()
        max_.page.get_by_label("amount").fill("9820.00")
        max_.page.get_by_label("Known bad").check()
        max_.page.get_by_label("What to look for").fill("The amount is not on the statement")
        assert max_.axe() == []
        max_.page.get_by_role("button", name="Put it in front of the reviewers").click()
        max_.page.locator("#messages").get_by_text("waits for its reviewers").wait_for()
        assert max_.axe() == []

        grace = opened("grace")
        grace.page.goto("/approvals/")
        grace.page.get_by_role("link", name="Post 9820.00 EUR").click()
        assert grace.page.get_by_text("test item").count() == 0
        grace.page.get_by_label("Reject").check()
        grace.page.locator("#decision_reason_code").select_option("wrong_amount")
        grace.page.get_by_role("button", name="Record decision").click()
        grace.page.get_by_role("heading", name="This was a test item").wait_for()
        assert grace.page.get_by_text("The amount is not on the statement").is_visible()
        assert grace.page.get_by_text("Caught", exact=True).is_visible()
        assert grace.axe() == []


@pytest.mark.slow
class TestFiguresAndCases:
    def test_are_read_and_chosen(self, opened, people, unit):
        make.policy("posts", condition="", required=1)
        for reviewer in ("grace", "linus", "max"):
            make.approved(make.request(), make.person(reviewer))
        make.rejected(make.request(), make.person("grace"), "No invoice at all")
        max_ = opened("max")
        max_.page.goto("/approvals/")
        max_.page.get_by_role("link", name="Figures").click()
        assert max_.axe() == []
        max_.page.get_by_role("link", name="75.0 %").first.click()
        assert max_.page.locator("[data-row]").count() == 3
        assert max_.axe() == []

        max_.page.goto("/approvals/cases/")
        assert max_.axe() == []
        max_.page.locator("#case-rows").get_by_role("link").first.click()
        assert max_.axe() == []
        max_.page.get_by_label("Accept").check()
        max_.page.get_by_label("Why").fill("It happens every month")
        max_.page.get_by_role("button", name="Record").click()
        max_.page.locator("#messages").get_by_text("The case is accepted.").wait_for()
        assert EvaluationCase.objects.get().status == "accepted"

    def test_fit_a_phone(self, opened, people, unit):
        make.policy("posts", condition="", required=1)
        make.rejected(make.request(), make.person("grace"))
        max_ = opened("max", viewport={"width": 390, "height": 800})
        for address in ("/approvals/figures/", "/approvals/cases/", EvaluationCase.objects.get().get_absolute_url()):
            max_.page.goto(address)
            assert max_.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
