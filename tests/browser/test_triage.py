"""Draining a group in a real browser: preview, type the count, one, ten, the rest; it stops itself and says why; cancel."""

import pytest

from orchestrator.engine import drives
from orchestrator.models import DeadLetter, FailureGroup, Operation
from orchestrator.operations import bulk_letters
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def group(unit, people, monkeypatch):
    """Thirteen letters of one cause; above ten the count is typed."""
    monkeypatch.setattr(bulk_letters, "TYPED_ABOVE", 10)
    letter = make.letter(by=people)
    for _ in range(12):
        make.letter(by=people)
    return FailureGroup.objects.get(pk=letter.group_id)


def sweep(operation):
    """One round of the sweep, without the pause between two letters."""
    for _ in range(drives.BATCH):
        Operation.objects.filter(pk=operation.pk).update(next_at=None)
        if not drives.one_round(operation.pk):
            break


def under_way(operation):
    return [
        item.letter for item in operation.items.filter(status="under_way").select_related("letter").order_by("place")
    ]


def begun(ada):
    """From the list to the preview to a confirmation with the number typed."""
    page = ada.page
    page.goto("/dead-letters/")
    assert ada.axe() == []
    page.get_by_role("link", name="poster in post").click()
    page.get_by_role("button", name="Take", exact=True).click()
    page.get_by_role("button", name="Take over").wait_for()
    page.get_by_label("Which letters").select_option("all")
    page.get_by_role("button", name="Redrive…").click()

    page.get_by_text("These are exactly 13 letters").wait_for()
    assert page.locator("#samples li").count() == 3
    assert ada.axe() == []
    page.get_by_label("Speed limit").select_option("600")
    page.get_by_label("Number of letters").fill("13")
    page.get_by_role("button", name="Redrive 13 letters").click()
    page.get_by_role("button", name="Pause sending").wait_for()
    return Operation.objects.get()


class TestAnOperator:
    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_drains_a_group_in_stages_and_is_told_why_it_stopped(self, opened, group):
        ada = opened("ada")
        operation, page = begun(ada), ada.page

        sweep(operation)
        page.locator("#progress").get_by_text("1 under way, 12 waiting").wait_for()
        make.succeeded(under_way(operation)[0])
        sweep(operation)
        page.locator("#progress").get_by_text("10 under way, 2 waiting").wait_for()
        make.failed_again(under_way(operation)[0])
        sweep(operation)
        page.get_by_text("It stopped itself:").first.wait_for()
        assert page.locator("#failures").get_by_text("the same failure came back: The ERP answered 503.").is_visible()
        assert ada.axe() == []

        page.get_by_role("button", name="Cancel the rest").click()
        page.locator("#messages").get_by_text("Cancelled.").wait_for()
        sweep(operation)
        page.locator("#progress").get_by_text("2 not tried").wait_for()
        assert page.locator("#progress").get_by_text("9 under way").is_visible()
        assert ada.axe() == []

    def test_who_presses_twice_presses_nothing_else(self, opened, group):
        """The word of a button that is at work is shorter, and what cancels stands right beside what pauses."""
        ada = opened("ada")
        begun(ada)
        page = ada.page
        page.set_viewport_size({"width": 800, "height": 800})
        page.evaluate("addEventListener('submit', event => event.preventDefault())")  # it never ends
        pressed = page.get_by_role("button", name="Pause sending").bounding_box()
        edge = (pressed["x"] + pressed["width"] - 3, pressed["y"] + pressed["height"] / 2)

        page.mouse.click(*edge)

        assert (
            page.evaluate("place => document.elementFromPoint(...place).closest('button')?.innerText", edge)
            == "Pausing…"
        )

    @pytest.mark.slow
    def test_the_second_half_of_a_double_click_presses_nothing_on_the_page_that_comes(self, opened, group):
        ada = opened("ada")
        operation = begun(ada)
        pressed = ada.page.get_by_role("button", name="Pause sending").bounding_box()
        place = (pressed["x"] + pressed["width"] - 20, pressed["y"] + pressed["height"] / 2)

        ada.page.mouse.click(*place)
        ada.page.get_by_role("button", name="Go on").wait_for()
        there = ada.page.evaluate("place => document.elementFromPoint(...place).innerText", place)
        ada.page.mouse.move(*place)
        ada.page.mouse.down(click_count=2)
        ada.page.mouse.up(click_count=2)
        ada.page.wait_for_load_state("networkidle")

        operation.refresh_from_db()
        assert (there, operation.status) == ("Go on", "paused")

    @pytest.mark.slow
    def test_needs_neither_script_nor_a_wide_screen(self, opened, group):
        page = opened("ada", java_script_enabled=False, viewport={"width": 390, "height": 800}).page
        page.goto(group.get_absolute_url())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator("#letter-rows input[type=checkbox]").nth(1).check()
        page.get_by_role("button", name="Redrive…").click()
        page.get_by_text("These are exactly 1 letter,").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Redrive 1 letter").click()
        page.get_by_role("heading", name="Progress").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert Operation.objects.get().status == "running"

    @pytest.mark.slow
    def test_hears_what_came_of_it_in_sentences(self, unit, people, opened):
        page = opened("ada").page
        page.goto(make.dead_letter(by=people).get_absolute_url())

        page.get_by_role("button", name="Redrive this one").click()

        page.wait_for_selector(
            "#status:has-text('Queued for retry. It counts as fixed')", state="attached", timeout=5_000
        )

    @pytest.mark.slow
    def test_walks_the_groups_and_letters_by_keyboard(self, opened, group):
        page = opened("ada").page
        page.goto("/dead-letters/")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/dead-letters/groups/**")
        page.keyboard.press("j")
        page.keyboard.press("x")
        assert page.locator("#letter-rows input:checked").count() == 1
        assert not Operation.objects.exists()

    def test_patches_an_input_after_seeing_the_difference(self, opened, group):
        ada = opened("ada")
        letter = DeadLetter.objects.order_by("first_at").first()
        ada.page.goto(letter.get_absolute_url())
        ada.page.get_by_role("link", name="Patch and redrive…").click()
        ada.page.get_by_label("Input of the step").fill('{"rows": 4}')
        ada.page.get_by_label("What was wrong with it?").fill("one row was missing")
        ada.page.get_by_role("button", name="Show the difference").click()
        ada.page.locator("#difference").get_by_text("4").first.wait_for()
        assert ada.axe() == []
        ada.page.get_by_role("button", name="Patch and redrive").click()
        ada.page.locator("#messages").get_by_text("The original is kept.").wait_for()
        assert [patch.after for patch in letter.step.patches.all()] == [{"rows": 4}]
