"""Asking, editing and answering in a real browser: without script, with an impatient finger, signed out, off the net."""

import pytest

from approvals.models import ApprovalRequest, Decision, Edit, Remark
from orchestrator.models import Action
from tests import make

# The head of an answer comes, and then the line is dead.
BREAKS_OFF = """window.fetch = async () => new Response(new ReadableStream({
    pull(stream) { stream.error(new TypeError("network error")); },
}))"""


@pytest.fixture
def request_of_one(unit, people):
    return make.request("48.20", by=make.actor(people), memo="first\nsecond")


def unfold(page, name):
    page.click(f"#fold-{name} summary")


def asking(page, request, words):
    """A question is typed and not yet sent."""
    page.goto(request.get_absolute_url())
    unfold(page, "question")
    page.fill("#questionform_question", words)


def editing(page, request, amount):
    """Another amount is typed and not yet stored."""
    page.goto(request.get_absolute_url())
    unfold(page, "edit")
    page.fill("#edit-form input[value='48.20']", amount)


def sent_without_a_reason(signer, request):
    """A reject with a note that was not taken: the form is back, with what was typed."""
    page = signer.page
    page.goto(request.get_absolute_url())
    page.check("#decision_verdict_reject")
    page.fill("#decision_note", "my careful reason")
    page.evaluate("document.getElementById('decision-form').noValidate = true")
    page.click("#decision-form button[type=submit]")
    page.wait_for_selector("#decision-form:has-text('Choose the reason that fits best.')")
    signer.problems.clear()  # the browser itself logs a 422 as a failed load


class TestAQuestion:
    def test_is_asked_answered_and_the_request_signed(self, request_of_one, opened):
        reviewer, asker = opened("grace").page, opened("ada").page
        asking(reviewer, request_of_one, "Which invoice?")
        reviewer.click("#question-form button")
        reviewer.wait_for_selector("#review .pill:has-text('Sent back')")
        reviewer.wait_for_selector("#review .message:has-text('Your question is sent.')")
        reviewer.wait_for_selector("#status:has-text('Your question is sent.')", state="attached")

        asker.goto(request_of_one.get_absolute_url())
        asker.fill("#replyform_reply", "88213")
        asker.click("#reply-form button")
        asker.wait_for_selector("#remarks:has-text('88213')")

        reviewer.reload()
        assert "88213" in reviewer.inner_text("#remarks")
        reviewer.check("#decision_verdict_approve")
        reviewer.select_option("#decision_reason_code", "evidence_checked")
        reviewer.click("text=Record decision")
        reviewer.wait_for_selector("text=You approved this")

    @pytest.mark.slow
    def test_outlives_an_expired_sign_in(self, request_of_one, opened):
        person = opened("grace")
        asking(person.page, request_of_one, "my careful question")
        person.context.clear_cookies(name="sessionid")

        person.page.click("#question-form button")
        # Not the address: what the page asks for by itself may lead there at the same moment, and one of both is aborted.
        person.page.wait_for_selector("#id_username")
        person.page.fill("#id_username", "grace")
        person.page.fill("#id_password", make.PASSWORD)
        person.page.click("button[type=submit]")
        person.page.wait_for_url(f"**{request_of_one.get_absolute_url()}")

        assert person.page.is_visible("#questionform_question")
        assert person.page.input_value("#questionform_question") == "my careful question"
        assert not Remark.objects.exists()

    @pytest.mark.slow
    def test_takes_no_note_from_a_colleague_who_is_writing_one(self, request_of_one, opened):
        writer, asker, operator = opened("grace").page, opened("linus").page, opened("ada").page
        writer.goto(request_of_one.get_absolute_url())
        writer.fill("#decision_note", "the invoice is another one")
        asking(asker, request_of_one, "Which invoice?")
        asker.click("#question-form button")

        writer.wait_for_selector("#alert:has-text('the invoice is another one')", timeout=25_000)
        assert writer.locator("#decision-form").count() == 0
        operator.goto(request_of_one.get_absolute_url())
        operator.fill("#replyform_reply", "88213")
        operator.click("#reply-form button")

        writer.wait_for_selector("#decision_note", timeout=25_000)
        writer.wait_for_selector("#status:has-text('What you had typed is back.')", state="attached")
        assert writer.input_value("#decision_note") == "the invoice is another one"

    @pytest.mark.slow
    def test_stays_where_it_is_when_the_connection_is_lost(self, request_of_one, opened):
        person = opened("grace")
        asking(person.page, request_of_one, "kept")
        person.context.set_offline(True)

        person.page.click("#question-form button")
        person.page.wait_for_selector("#alert:has-text('The connection was lost')")
        person.context.set_offline(False)
        person.problems.clear()  # the browser itself logs the failed load

        assert person.page.input_value("#questionform_question") == "kept"
        person.page.focus("#alert button")
        person.page.keyboard.press("Escape")
        assert person.page.is_hidden("#alert")
        assert person.page.evaluate("document.activeElement.matches('#question-form button')")
        person.page.click("#question-form button")
        person.page.wait_for_selector("#review .pill:has-text('Sent back')")
        assert Remark.objects.count() == 1

    @pytest.mark.slow
    def test_is_not_said_to_be_lost_any_more_once_it_is_sent(self, request_of_one, opened):
        person = opened("grace")
        page = person.page
        asking(page, request_of_one, "kept")
        person.context.set_offline(True)
        page.click("#question-form button")
        page.wait_for_selector("#alert:has-text('Try again.')")
        person.context.set_offline(False)
        person.problems.clear()  # the browser itself logs the failed load

        page.click("#question-form button")
        page.wait_for_selector("#review .pill:has-text('Sent back')")

        assert page.inner_text("#alert") == ""

    @pytest.mark.slow
    def test_whose_answer_was_lost_is_not_said_to_be_unsent_once_the_page_shows_it(self, request_of_one, opened):
        person = opened("grace")
        page = person.page
        asking(page, request_of_one, "Which invoice?")
        page.route("**/questions/", lost_on_the_way_back)
        page.click("#question-form button")
        page.wait_for_selector("#alert:has-text('What you sent may have arrived all the same.')")

        page.wait_for_selector("#review .pill:has-text('Sent back')")

        page.wait_for_selector("#alert:has-text('see on it whether what you sent was recorded')")
        assert "was not sent" not in page.inner_text("#alert")
        person.problems.clear()  # the browser itself logs the failed load

    @pytest.mark.slow
    def test_whose_answer_breaks_off_in_the_middle_says_so(self, request_of_one, opened):
        person = opened("grace")
        page = person.page
        asking(page, request_of_one, "kept")
        page.evaluate(BREAKS_OFF)

        page.click("#question-form button")

        page.wait_for_selector("#alert:has-text('The connection was lost.')")
        assert page.input_value("#questionform_question") == "kept"
        person.problems.clear()  # htmx itself logs what broke

    @pytest.mark.slow
    def test_that_was_not_taken_stays_through_a_live_update(self, request_of_one, opened):
        signer, editor = opened("grace"), opened("linus").page
        page = signer.page
        sent_without_a_reason(signer, request_of_one)

        editor.goto(request_of_one.get_absolute_url())
        editor.get_by_role("button", name="Claim").click()
        page.wait_for_selector("#alert:has-text('my careful reason')")
        editor.get_by_role("button", name="Release").click()
        page.wait_for_selector("#status:has-text('What you had typed is back.')", state="attached")
        assert page.input_value("#decision_note") == "my careful reason"

    @pytest.mark.slow
    def test_that_was_not_taken_keeps_its_answer_too(self, request_of_one, opened):
        signer, editor = opened("grace"), opened("linus").page
        page = signer.page
        sent_without_a_reason(signer, request_of_one)

        stored(editor, request_of_one, "987.00")
        page.wait_for_selector("#exact-arguments:has-text('987.00')")

        assert page.input_value("#decision_note") == "my careful reason"
        assert page.is_checked("#decision_verdict_reject")


def lost_on_the_way_back(route):
    """The server does what it was asked; the connection breaks before its answer is here."""
    route.fetch(max_redirects=0)
    route.abort("connectionreset")


def stored(page, request, amount):
    """Somebody edits the amount, and it is in place."""
    editing(page, request, amount)
    page.click("#edit-form button[type=submit]")
    page.wait_for_selector("#edits:has-text('made revision 2')")


class TestAnEdit:
    @pytest.mark.slow
    def test_clicked_three_times_is_one_and_leads_to_the_edited_act(self, request_of_one, opened):
        page = opened("grace").page
        editing(page, request_of_one, "84.20")

        page.locator("#edit-form button[type=submit]").click(click_count=3, delay=5)
        page.wait_for_selector("#edits:has-text('made revision 2')")

        assert "84.20" in page.inner_text("#exact-arguments")
        assert page.input_value("#decision-form [name=revision]") == "2"
        assert Edit.objects.count() == 1

    def test_under_the_hands_of_a_colleague_who_signs_takes_no_signature_with_it(self, request_of_one, opened):
        signer, editor = opened("grace"), opened("linus").page
        page = signer.page
        page.goto(request_of_one.get_absolute_url())
        page.check("#decision_verdict_approve")
        page.select_option("#decision_reason_code", "evidence_checked")
        page.fill("#decision_note", "48.20, as on the invoice")

        stored(editor, request_of_one, "987.00")

        page.wait_for_selector("#exact-arguments:has-text('987.00')")
        page.wait_for_selector("#alert:has-text('This was changed while you had it open.')")
        page.click("#decision-form button[type=submit]")
        page.wait_for_selector("#decision [data-refusal]:has-text('The action changed after you opened it')")
        signer.problems.clear()  # the browser itself logs a 409 as a failed load
        assert not Decision.objects.exists()
        assert "48.20" in page.inner_text("#decision table")
        assert page.input_value("#decision_note") == "48.20, as on the invoice"
        assert page.locator("#decision-form input[name=verdict]:checked").count() == 0

    @pytest.mark.slow
    def test_is_offered_to_be_read_from_the_start_with_the_words_kept(self, request_of_one, opened):
        page, editor = opened("grace").page, opened("linus").page
        page.goto(request_of_one.get_absolute_url())
        page.check("#decision_verdict_approve")
        page.fill("#decision_note", "as on the invoice")

        stored(editor, request_of_one, "987.00")
        page.click("text=Reload, keeping what you typed")

        page.wait_for_selector("#status:has-text('What you had typed is back.')", state="attached")
        assert page.input_value("#decision_note") == "as on the invoice"
        page.check("#decision_verdict_approve")
        page.select_option("#decision_reason_code", "evidence_checked")
        page.click("#decision-form button[type=submit]")
        page.wait_for_selector("text=You approved this")

    @pytest.mark.slow
    def test_seen_by_somebody_who_has_only_read_is_to_be_viewed_anew(self, request_of_one, opened):
        page, editor = opened("grace").page, opened("linus").page
        page.goto(request_of_one.get_absolute_url())
        page.wait_for_selector("#decision-form input[name=viewed][value=act]:checked")
        page.locator("footer").scroll_into_view_if_needed()

        stored(editor, request_of_one, "987.00")

        page.wait_for_selector("#exact-arguments:has-text('987.00')")
        assert page.input_value("#decision-form [name=revision]") == "2"
        assert page.locator("#decision-form input[name=viewed][value=act]:checked").count() == 0
        assert page.inner_text("#alert") == ""

    @pytest.mark.slow
    def test_refused_by_the_form_keeps_the_fold_open_and_the_text(self, request_of_one, opened):
        person = opened("grace")
        person.page.goto(request_of_one.get_absolute_url())
        unfold(person.page, "edit")
        person.page.fill("#editform_note", "nothing else typed")

        person.page.click("text=Store the edit")
        person.page.wait_for_selector("#edit-form:has-text('Nothing is different.')")
        assert person.page.evaluate("document.activeElement.matches('#edit-form [data-refusal]')")
        person.problems.clear()  # the browser itself logs a 422 as a failed load

        assert person.page.is_visible("#editform_note")
        assert person.page.input_value("#editform_note") == "nothing else typed"

    @pytest.mark.slow
    def test_whose_answer_was_lost_is_sent_again_and_told_once(self, request_of_one, opened):
        person = opened("grace")
        page = person.page
        editing(page, request_of_one, "84.20")
        page.route("**/edits/", lost_on_the_way_back, times=1)
        page.click("#edit-form button[type=submit]")
        page.wait_for_selector("#edits:has-text('made revision 2')")
        page.wait_for_selector("#alert:has-text('see on it whether what you sent was recorded')")
        person.problems.clear()  # the browser itself logs the failed load

        page.click("#edit-form button[type=submit]")

        page.wait_for_selector("[data-said]:has-text('Your edit is in place.')")
        page.wait_for_selector("#alert:empty", state="attached", timeout=5_000)
        assert Edit.objects.count() == 1

    @pytest.mark.slow
    def test_without_script(self, request_of_one, opened):
        page = opened("grace", java_script_enabled=False).page
        editing(page, request_of_one, "84.20")
        page.click("text=Store the edit")

        assert "made revision 2" in page.inner_text("#edits")
        # The memo's line end came back as the browser writes it, and is what it was.
        arguments = Action.objects.get(pk=request_of_one.subject_id).arguments
        assert '"memo":"first\\nsecond"' in arguments


@pytest.mark.slow
class TestAResult:
    def test_by_keyboard_ends_the_request(self, request_of_one, opened):
        page = opened("grace").page
        page.goto(request_of_one.get_absolute_url())

        page.focus("#fold-result summary")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type('{"posting": "P-9"}')
        page.keyboard.press("Tab")
        page.keyboard.type("Duplicate")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=You gave the result")

        assert ApprovalRequest.objects.get(pk=request_of_one.pk).status == "answered"


@pytest.mark.slow
class TestOnTheSmallScreen:
    def test_all_of_it_fits_and_is_accessible(self, request_of_one, opened):
        person = opened("grace", viewport={"width": 390, "height": 800})
        person.page.goto(request_of_one.get_absolute_url())
        for name in ("question", "edit", "result"):
            unfold(person.page, name)

        assert person.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert person.axe() == []
