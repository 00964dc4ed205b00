"""The queue by keyboard, without script, on a narrow screen, while others claim and new requests arrive."""

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, Claim
from approvals.operations import claims
from tests import make


@pytest.fixture
def four(unit, people):
    return [make.request(reference=f"R{number}", by=make.actor(people)) for number in range(4)]


def focused(page):
    return page.evaluate("document.activeElement.closest('[data-row]')?.id")


class TestKeys:
    def test_move_select_claim_and_open(self, four, opened):
        page = opened("grace").page
        page.goto("/approvals/")

        page.keyboard.press("j")
        page.keyboard.press("j")
        assert focused(page) == f"request-{four[1].pk}"
        page.keyboard.press("k")
        assert focused(page) == f"request-{four[0].pk}"

        page.keyboard.press("x")
        assert page.inner_text("[data-bulk-count]") == "1 selected"
        page.keyboard.press("c")
        assert not Claim.objects.exists()
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#request-{four[0].pk} >> text=you until")
        assert Claim.objects.get().person_name == "grace"

        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/approvals/*/")

    @pytest.mark.slow
    def test_walk_from_review_to_review_and_claim_there(self, four, opened):
        page = opened("grace").page
        page.goto(four[0].get_absolute_url())

        page.keyboard.press("]")
        page.wait_for_url(f"**{four[1].get_absolute_url()}")
        page.keyboard.press("[")
        page.wait_for_url(f"**{four[0].get_absolute_url()}")
        page.keyboard.press("c")
        page.keyboard.press("Enter")
        page.wait_for_selector("#claim >> text=Held by you")
        page.keyboard.press("r")

        assert page.evaluate("document.activeElement.id") == "decision_verdict_reject"
        assert Claim.objects.get().request_id == four[0].pk

    @pytest.mark.slow
    def test_stand_in_the_help(self, four, opened):
        page = opened("grace").page
        page.goto("/approvals/")
        page.keyboard.press("?")

        listed = page.inner_text("#help")
        for words in (
            "next row",
            "select the row",
            "open the row",
            "move to Claim",
            "choose Approve or Reject",
            "next item",
        ):
            assert words in listed

    @pytest.mark.slow
    def test_do_the_whole_bulk_rejection(self, four, opened):
        page = opened("grace").page
        page.goto("/approvals/")
        for _ in range(2):
            page.keyboard.press("j")
            page.keyboard.press("x")
        page.locator("#bulk-form button[value=reject]").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/approvals/bulk/*/")
        page.locator("#bulk_reason_code").focus()
        page.keyboard.type("Duplicate")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=2 done, 0 refused")

        assert [row.status for row in ApprovalRequest.objects.order_by("id")] == ["rejected"] * 2 + ["pending"] * 2


@pytest.mark.slow
class TestWhatIsSaid:
    """To whoever does not see the list beside the filter, or the row about the button."""

    @pytest.fixture
    def page(self, four, opened):
        page = opened("grace").page
        page.goto("/approvals/")
        return page

    def says(self, page, text):
        page.wait_for_selector(f"#status:text-is('{text}')", state="attached", timeout=5_000)

    def test_of_a_filter_is_how_many_are_left(self, page, four):
        page.fill("form.filters [name=q]", four[0].title.split()[-1])
        self.says(page, "Requests 1")
        page.fill("form.filters [name=q]", "no such thing")
        self.says(page, "Nothing matches these filters")

    def test_of_a_claim_in_its_row_is_that_one_holds_it(self, page, four):
        page.locator(f"#request-{four[1].pk} button:has-text('Claim')").click()
        self.says(page, "You hold this request now.")

    def test_of_a_claim_on_the_page_is_no_more_than_that(self, page, four):
        page.goto(four[1].get_absolute_url())
        page.locator("#claim button").first.click()
        self.says(page, "You hold this request now.")


class TestApprovingTogether:
    def test_is_offered_only_while_equal_first_tier_rows_are_ticked(self, four, opened):
        make.policy()
        two = make.request("9999.00")
        page = opened("grace").page
        page.goto("/approvals/")
        button = page.locator("[data-bulk-approve]")
        assert not button.is_visible()

        for request in four[:2]:
            page.check(f"#request-{request.pk} input[data-select]")
        assert button.is_visible()
        page.check(f"#request-{two.pk} input[data-select]")
        assert not button.is_visible()
        page.uncheck(f"#request-{two.pk} input[data-select]")
        button.click()
        page.wait_for_url("**/approvals/bulk/*/")

        assert four[0].digest[:6] in page.inner_text("#items")


class TestLive:
    @pytest.mark.slow
    def test_new_requests_wait_behind_a_notice_and_no_row_or_tick_moves(self, four, opened):
        page = opened("grace").page
        page.goto("/approvals/")
        page.check(f"#request-{four[2].pk} input[data-select]")
        where = page.locator(f"#request-{four[2].pk}").bounding_box()
        rows = page.locator("#request-rows [data-row]").count()
        for number in range(3):
            make.request(reference=f"NEW{number}")

        page.wait_for_selector("text=3 new items have arrived", timeout=20_000)

        assert page.locator("#request-rows [data-row]").count() == rows
        assert page.is_checked(f"#request-{four[2].pk} input[data-select]")
        moved = page.locator(f"#request-{four[2].pk}").bounding_box()
        assert abs(moved["y"] - where["y"]) <= 1

    @pytest.mark.slow
    def test_a_claim_of_somebody_else_reaches_the_open_review_and_locks_it(self, four, opened):
        page = opened("grace").page
        page.goto(four[0].get_absolute_url())
        page.fill("#decision_note", "my careful note")

        claims.claim(request_id=four[0].pk, by=make.actor(make.person("linus")))

        page.wait_for_selector("text=held by linus until", timeout=20_000)


@pytest.mark.slow
class TestWithoutScript:
    def test_claims_and_rejects_in_bulk(self, four, opened):
        page = opened("grace", java_script_enabled=False).page
        page.goto("/approvals/")
        page.click(f"#request-{four[0].pk} >> text=Claim")
        assert "you until" in page.inner_text(f"#request-{four[0].pk}")

        page.check(f"#request-{four[1].pk} input[name=item]")
        page.click("#bulk-form button[value=reject]")
        page.select_option("#bulk_reason_code", "duplicate")
        page.click("#bulk-confirm button[type=submit]")

        assert "1 done, 0 refused" in page.inner_text("main")


@pytest.mark.slow
class TestLooks:
    @pytest.fixture(autouse=True)
    def three_per_agent(self, settings):
        settings.QUEUE_SHOWN_PER_AGENT = 3

    @pytest.mark.parametrize("width", [390, 1440])
    def test_fit_and_have_no_violation(self, four, opened, width, tmp_path):
        claims.claim(request_id=four[0].pk, by=make.actor(make.person("linus")))
        person = opened("grace", viewport={"width": width, "height": 900})
        page = person.page
        page.goto("/approvals/?tier=customer_facing")
        page.check(f"#request-{four[1].pk} input[data-select]")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert person.axe() == []
        page.click("#save-view summary")
        assert person.axe() == []
        page.screenshot(path=tmp_path / "queue.png", full_page=True)
        page.click("#bulk-form button[value=approve]")
        page.wait_for_url("**/approvals/bulk/*/")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert person.axe() == []
        page.screenshot(path=tmp_path / "bulk.png", full_page=True)
        page.goto(four[0].get_absolute_url())
        assert person.axe() == []
        page.goto(four[1].get_absolute_url())
        page.click("#claim button")
        page.wait_for_selector("#claim >> text=Held by you")
        assert person.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=tmp_path / "review.png", full_page=True)

    @pytest.mark.parametrize("width", [320, 390])
    def test_have_every_fact_of_a_row_in_sight_on_a_phone(self, four, opened, width, tmp_path):
        claims.claim(request_id=four[0].pk, by=make.actor(make.person("linus")))
        page = opened("grace", viewport={"width": width, "height": 900}).page
        page.goto("/approvals/?tier=customer_facing")

        beyond = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
        assert page.eval_on_selector_all("#queue .scroll", beyond) == 0
        seen = page.locator("#requests").aria_snapshot()
        assert "- row" in seen, "it is still a table to whoever hears it"
        assert 'columnheader "Due"' in seen
        assert page.locator("#folded-rows a").is_visible()
        page.click(f"#request-{four[1].pk} button:has-text('Claim')")
        page.wait_for_selector(f"#request-{four[1].pk} >> text=you until")
        assert page.eval_on_selector_all("#queue .scroll", beyond) == 0
        page.screenshot(path=tmp_path / "queue.png", full_page=True)


@pytest.mark.slow
class TestStandingIn:
    @pytest.mark.parametrize("width", [390, 1280])
    def test_lends_and_takes_back_by_keyboard_and_has_no_violation(self, four, opened, width):
        make.person("vera", "view", of=make.unit())
        person = opened("grace", viewport={"width": width, "height": 900})
        page = person.page
        page.goto("/approvals/standing-in/")
        assert person.axe() == []
        page.select_option("#delegation_unit", label="Finance")
        page.select_option("#delegation_to", label="vera")
        page.fill("#delegation_ends_at", f"{timezone.localtime() + timedelta(days=3):%Y-%m-%dT%H:%M}")
        page.locator("#delegation_ends_at").focus()
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#given >> text=vera")
        assert person.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("#given button").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Nobody signs for you")
