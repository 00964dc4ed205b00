"""The record is read again while somebody looks at the page: what they typed stays, and what differs is shown."""

from datetime import timedelta

import pytest
from django.db.models import F
from playwright.sync_api import expect

from approvals.models import ApprovalRequest, Decision
from audit.models import AuditEvent
from orchestrator.operations import executions
from tests import make, worlds
from tests.engine import provider as providers

WORKFLOW = "workflow: outside\nversion: 1.0.0\nsteps:\n  - send: {tool: unsafe, with: {ref: R-1}}\n"


@pytest.fixture
def provider():
    with providers.running() as running:
        yield running


@pytest.fixture
def waiting(unit, people, provider, settings, tmp_path):
    """A call of our own step that waits beside revision 1 of its record."""
    settings.HANDLER_ENV = {"ERP_URL": provider.url}
    worlds.publish(tmp_path / "outside", WORKFLOW, providers.HANDLERS, tools=providers.TOOLS, release=providers.RELEASE)
    execution = executions.start(workflow="outside", input={}, unit=unit.name, by=make.actor(people))
    worlds.work()
    return ApprovalRequest.objects.get(execution_id=execution.pk)


def minutes_pass(request):
    past = timedelta(minutes=5)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        created_at=F("created_at") - past, record_read_at=F("record_read_at") - past
    )


def read_again(page):
    """Press the button, and let a worker do what was asked."""
    page.click("text=Read again")
    expect(page.locator("#record-reading")).to_contain_text("is being read again")
    worlds.work()


class TestReadAgain:
    @pytest.mark.slow
    def test_says_unchanged_and_keeps_what_was_typed(self, waiting, opened, provider):
        page = opened("grace").page
        page.goto(waiting.get_absolute_url())
        page.fill("#decision_note", "half a sentence")

        read_again(page)

        expect(page.locator("#record-reading")).to_contain_text("unchanged since this was asked")
        expect(page.locator("#decision_note")).to_have_value("half a sentence")
        assert provider.sends == []

    @pytest.mark.slow
    def test_moves_neither_the_page_nor_the_focus_away_from_it(self, waiting, opened, provider):
        page = opened("grace", viewport={"width": 1280, "height": 500}).page
        page.goto(waiting.get_absolute_url())
        page.locator("#record-reading").scroll_into_view_if_needed()
        before = page.evaluate("scrollY")

        read_again(page)

        expect(page.locator("#record-reading")).to_contain_text("unchanged since this was asked")
        assert page.evaluate("scrollY") == before
        assert page.evaluate("Boolean(document.activeElement.closest('#record-reading'))")

    def test_says_what_changed_and_a_decision_on_the_old_record_is_refused(self, waiting, opened, provider):
        page = opened("grace").page
        page.goto(waiting.get_absolute_url())
        late = opened("linus")
        stale = late.page
        stale.goto(waiting.get_absolute_url())
        stale.click("[data-live-toggle]")
        provider.record = {"revision": 2, "blocked": True}

        read_again(page)

        expect(page.locator("#change")).to_contain_text("The record has changed.")
        expect(page.locator("#record-reading")).to_contain_text("record / revision")
        stale.check("input[name=verdict][value=approve]")
        stale.select_option("#decision_reason_code", "evidence_checked")
        stale.fill("#decision_note", "as I read it")
        stale.click("text=Record decision")
        expect(stale.locator("#review")).to_contain_text("changed after you opened it")
        expect(stale.locator("#decision_note")).to_have_value("as I read it")
        assert Decision.objects.count() == 0
        assert ["409" in problem for problem in late.problems] == [True]
        late.problems.clear()

    @pytest.mark.slow
    def test_is_asked_by_the_page_itself_once_when_the_record_is_old(self, waiting, opened, provider):
        minutes_pass(waiting)
        person = opened("grace")
        person.sent.clear()

        person.page.goto(waiting.get_absolute_url())

        expect(person.page.locator("#record-reading")).to_contain_text("is being read again")
        worlds.work()
        expect(person.page.locator("#record-reading")).to_contain_text("unchanged")
        assert person.sent.count("POST") == 1
        assert provider.reads == 2
        assert AuditEvent.objects.get(event="approval_request.reading_asked").actor_name == "review page"

    @pytest.mark.slow
    def test_works_without_script(self, waiting, opened):
        page = opened("grace", java_script_enabled=False).page
        page.goto(waiting.get_absolute_url())

        page.click("text=Read again")

        expect(page.locator("#record-reading")).to_contain_text("is being read again")

    @pytest.mark.slow
    def test_fits_the_small_screen_and_is_accessible(self, waiting, opened, provider):
        person = opened("grace", viewport={"width": 390, "height": 800})
        provider.record = {"revision": 2}
        person.page.goto(waiting.get_absolute_url())
        read_again(person.page)
        expect(person.page.locator("#record-reading")).to_contain_text("The record has changed.")

        assert person.axe() == []
        assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
