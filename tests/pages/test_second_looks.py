"""Second looks on the pages: what hides the verdict, until one's own is in."""

import pytest
from django.urls import reverse

from approvals.models import SecondLook
from tests import make
from tests.pages.asking import PART, browser_of

TOLD = "Because the invoice was paid already"
REASON = "The bank closes in ten minutes and nobody else answers"
ACTS = [
    "approval_decisions", "approval_questions", "approval_replies", "approval_edits", "approval_results", "approval_by_hand",
    "approval_readings", "approval_claim", "break_glass",
]  # fmt: skip


def text(answer):
    return answer.content.decode()


@pytest.fixture
def look(unit, grace, settings):
    """grace rejected it, and it was drawn."""
    settings.SECOND_LOOK_PERCENT = 100
    make.rejected(make.request(), grace, TOLD)
    return SecondLook.objects.select_related("request").get()


def say(browser, look, verdict="approve", reason="evidence_checked", **more):
    said = make.voice(look.request)
    typed = {
        "digest": look.request.digest, "revision": look.request.revision, "verdict": verdict, "reason_code": reason,
        "viewed": said.viewed["sections"], "view": said.viewed["view"], "note": "", **more,
    }  # fmt: skip
    return browser.post(reverse("second_look_verdicts", args=[look.pk]), typed)


class TestTheList:
    def test_shows_what_waits_for_this_person_and_the_queue_counts_it(self, look, as_linus, as_grace):
        assert look.request.title in text(as_linus.get(reverse("second_looks")))
        assert 'Second looks <span class="muted">1</span>' in text(as_linus.get(reverse("approvals")))
        assert "No second look waits for you" in text(as_grace.get(reverse("second_looks")))
        assert 'Second looks <span class="muted">' not in text(as_grace.get(reverse("approvals")))

    def test_is_empty_for_a_stranger(self, look, as_eve):
        page = text(as_eve.get(reverse("second_looks")))

        assert look.request.title not in page
        assert "No second look waits for you" in page

    def test_shows_both_verdicts_once_there_are_two(self, look, as_linus, as_vera):
        say(as_linus, look)

        page = text(as_vera.get(reverse("second_looks")))
        assert "Disagreed" in page
        assert look.request.title in page


class TestBeforeOnesOwnVerdict:
    def test_the_page_shows_the_act_and_neither_verdict_nor_person(self, look, as_linus):
        page = text(as_linus.get(look.get_absolute_url()))

        assert "changes nothing about the act" in page
        assert "Exact arguments" in page
        for secret in ("Rejected", TOLD, "grace", "signed against"):
            assert secret not in page, secret

    @pytest.mark.parametrize("decided", [make.rejected, make.approved])
    def test_the_page_says_nothing_of_what_follows_from_the_decision(self, unit, grace, as_linus, settings, decided):
        settings.SECOND_LOOK_PERCENT = 100
        decided(make.request(), grace)
        page = text(as_linus.get(SecondLook.objects.get().get_absolute_url()))

        for secret in ("What follows", "A no is final", "is released", "goes on without it"):
            assert secret not in page, secret

    def test_the_request_leads_there_instead_of_telling(self, look, as_linus):
        answer = as_linus.get(look.request.get_absolute_url())
        part = as_linus.get(look.request.get_absolute_url(), headers=PART)

        assert (answer.status_code, answer["Location"]) == (302, look.get_absolute_url())
        assert (part.status_code, part["HX-Redirect"]) == (204, look.get_absolute_url())

    @pytest.mark.parametrize("headers", [{}, PART])
    @pytest.mark.parametrize("act", ACTS)
    def test_whatever_is_done_to_the_request_leads_there_instead_of_telling(self, look, as_linus, act, headers):
        typed = {"verdict": "approve", "question": "Why?", "reply": "So.", "reason": REASON,
                 "digest": look.request.digest, "revision": look.request.revision}  # fmt: skip
        answer = as_linus.post(reverse(act, args=[look.request_id]), typed, headers=headers)

        assert answer["HX-Redirect" if headers else "Location"] == look.get_absolute_url()
        assert answer.content == b""
        page = text(as_linus.get(look.get_absolute_url()))
        assert "It was decided meanwhile" in page
        assert "rejected" not in page.casefold()

    def test_whoever_decided_it_or_may_not_decide_is_told(self, look, as_grace, as_vera):
        for browser in (as_grace, as_vera):
            page = text(browser.post(reverse("approval_decisions", args=[look.request_id]), {"verdict": "approve"}))
            assert TOLD in page

    def test_no_list_tells(self, look, as_linus, as_vera):
        lists = [f"{reverse('approvals')}?state=rejected", f"{reverse('approvals')}?state=any", reverse("work")]
        for address in [*lists, reverse("cases")]:
            assert look.request.title not in text(as_linus.get(address)), address
        assert look.request.title in text(as_vera.get(f"{reverse('approvals')}?state=rejected"))

    def test_the_trail_does_not_tell(self, look, unit, linus):
        from budgets.permissions import grant

        grant(linus, "audit", unit)
        mine, others = browser_of(linus), browser_of(make.person("kay", "view", "audit", of=unit))

        for told in ("signed against", "candidate for evaluation"):
            assert told in text(others.get(reverse("audit")))
        page = text(mine.get(reverse("audit")))
        for secret in ("signed against", "candidate for evaluation", TOLD):
            assert secret not in page, secret
        assert "A second look waits" in page


class TestOnesOwnVerdict:
    def test_is_recorded_and_then_both_are_shown(self, look, as_linus):
        answer = say(as_linus, look, note="The invoice is open")

        assert answer.status_code == 302
        page = text(as_linus.get(look.get_absolute_url()))
        assert "The two verdicts differ" in page
        assert "The invoice is open" in page
        assert "Evidence is missing" in page
        assert "missing_evidence" not in page
        assert TOLD in text(as_linus.get(look.request.get_absolute_url()))

    def test_keeps_what_was_typed_where_a_reason_is_missing(self, look, as_linus):
        answer = say(as_linus, look, reason="other", note=" ")
        again = say(as_linus, look, reason="", note="typed words")

        assert (answer.status_code, again.status_code) == (422, 422)
        assert "typed words" in text(again)
        assert SecondLook.objects.get().status == "open"

    def test_is_refused_to_whoever_decided_and_to_whoever_only_looks(self, look, as_grace, as_vera):
        assert say(as_grace, look).status_code == 403
        assert say(as_vera, look).status_code == 403
        assert "had a hand in this request" in text(as_grace.get(look.get_absolute_url()))

    def test_that_comes_too_late_keeps_the_note(self, look, unit, as_linus):
        say(browser_of(make.person("mary", "view", "review", of=unit)), look)

        answer = say(as_linus, look, "reject", "wrong_amount", note="The third nought is wrong")

        assert answer.status_code == 409
        assert "Somebody has already looked at it again." in text(answer)
        assert "The third nought is wrong" in text(answer)

    def test_is_not_there_for_a_stranger(self, look, as_eve):
        assert as_eve.get(look.get_absolute_url()).status_code == 404
        assert say(as_eve, look).status_code == 404

    def test_never_happens_on_a_get(self, look, as_linus):
        for name in ("second_look_verdicts", "second_look_disclosures"):
            assert as_linus.get(reverse(name, args=[look.pk])).status_code == 405


class TestWhoeverHasToKnow:
    def test_is_shown_the_decision_and_does_not_look(self, look, as_linus):
        answer = as_linus.post(reverse("second_look_disclosures", args=[look.pk]))

        assert answer["Location"] == look.request.get_absolute_url()
        assert TOLD in text(as_linus.get(look.request.get_absolute_url()))
        assert say(as_linus, look).status_code == 403
