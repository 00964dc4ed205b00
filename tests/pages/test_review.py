"""Deciding on a page: what is shown before, what one may answer, and what happens to a second click."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.urls import reverse

from approvals.models import ApprovalRequest, Decision
from approvals.operations import delegations, expire_overdue
from approvals.queries import reviewing
from approvals.rules import showing
from audit.actors import system
from audit.definitions import retire
from audit.lifecycle import database_now
from audit.models import AuditEvent
from orchestrator.models import Action, Agent, Tool
from tests import make
from tests.pages.asking import PART, browser_of, signed_on_a_device

VIEWED = ["act", "change", "evidence", "policy"]


def answer(request, verdict="approve", **more):
    """What the form sends."""
    reason = "wrong_amount" if verdict == "reject" else "evidence_checked"
    return {
        "digest": request.digest, "revision": request.revision, "verdict": verdict, "reason_code": reason,
        "note": "", "viewed": VIEWED, "reading": '{"act": {"ms": 1200, "opens": 1}}',
        "view": showing.view_digest(request), "critical": "EUR 4,860.00" if request.required > 1 else "", **more,
    }  # fmt: skip


def decide(browser, request, verdict="approve", headers=None, **more):
    typed = answer(request, verdict, **{**signed_on_a_device(browser, request), **more})
    return browser.post(reverse("approval_decisions", args=[request.pk]), typed, headers=headers)


class TestWhatChangedSinceItWasAsked:
    """The dispatch refuses what is out of force: nobody should sign it believing otherwise."""

    def page(self, browser, request):
        return unescape(browser.get(request.get_absolute_url()).content.decode())

    @pytest.mark.parametrize("of", ["tool", "agent"])
    def test_is_said_of_a_tool_or_an_agent_that_was_retired(self, unit, as_grace, of):
        request = make.request("48.20")
        action = Action.objects.get(pk=request.subject_id)
        model, name = {"tool": (Tool, action.tool), "agent": (Agent, action.agent)}[of]
        assert "The act is released at once" in self.page(as_grace, request)

        retire(model.objects.active().get(name=name), by=system("test"), why="replaced")

        page = self.page(as_grace, request)
        assert f"As things stand, nothing would be carried out: The {of} {name} " in page
        assert "The act is released at once" not in page

    def test_is_said_of_a_policy_that_asks_for_more(self, unit, as_grace):
        request = make.request("48.20")

        make.policy("tighter", condition="", required=2)

        assert (
            "As things stand, nothing would be carried out: The policies in force now ask for more than was given. "
            "The approval would be void."
        ) in self.page(as_grace, request)

    def test_is_not_said_of_a_policy_that_asks_for_no_more(self, unit, as_grace):
        request = make.request("48.20")

        make.policy("equal", condition="", required=1)

        assert "The act is released at once" in self.page(as_grace, request)


class TestReviewPage:
    def test_shows_every_argument_the_digest_and_the_record_before_the_agents_words(self, unit, as_grace):
        request = make.request("48.20", memo="check invoice 88213")

        page = as_grace.get(request.get_absolute_url()).content.decode()

        order = ["1 What will happen", "2 Change against the record", "3 Evidence", "4 Policy", "own words"]
        assert [page.index(part) for part in order] == sorted(page.index(part) for part in order)
        assert all(text in page for text in ("48.20", "check invoice 88213", request.digest, "Bank charges"))

    def test_states_what_follows_from_each_way_it_can_end(self, unit, as_grace):
        page = as_grace.get(make.request().get_absolute_url()).content.decode()

        assert all(words in page for words in ("If you approve", "If you reject", "If nobody decides"))
        assert "Silence never approves" in page

    def test_says_how_long_an_approval_lasts_and_no_moment_that_slides_with_the_clock(self, unit, as_grace):
        page = as_grace.get(make.request().get_absolute_url()).content.decode()

        after_approving = page.split("If you approve")[1].split("</dd>")[0]
        assert "of the signature." in after_approving
        assert "<time" not in after_approving

    def test_tells_a_recorded_other_by_its_word_and_note(self, unit, as_grace):
        request = make.request()
        decide(as_grace, request, "reject", reason_code="other", note="the supplier called it off")

        page = as_grace.get(request.get_absolute_url()).content.decode()

        assert "Other<br>“the supplier called it off”" in page

    def test_never_calls_the_note_optional_but_says_with_which_reason_it_is_needed(self, unit, as_grace):
        page = as_grace.get(make.request().get_absolute_url()).content.decode()

        note = page.split('for="decision_note"')[1].split("</div>")[0]
        assert "needed with “Other”" in note
        assert ">optional<" not in note

    def test_chooses_no_answer_in_advance(self, unit, as_grace):
        page = as_grace.get(make.request().get_absolute_url()).content.decode()

        assert not re.search(r"<input[^>]* checked", page)

    def test_shows_hidden_characters_and_markup_as_text(self, unit, as_grace):
        request = make.request(memo="<script>x</script>\u202eevil")

        page = as_grace.get(request.get_absolute_url()).content.decode()

        assert "<script>x" not in page
        assert "\u202e" not in page
        assert "RIGHT-TO-LEFT OVERRIDE" in page.upper()

    def test_keeps_the_first_signature_from_the_second_reviewer_until_their_own(self, unit, grace, as_grace, as_linus):
        make.policy()
        request = make.approved(make.request("4860.00"), grace)

        assert "You approved this" in as_grace.get(request.get_absolute_url()).content.decode()
        unseen = as_linus.get(request.get_absolute_url()).content.decode()
        decide(as_linus, request)

        assert "1 of 2" in unseen
        assert "grace" not in unseen
        assert "grace" in as_linus.get(request.get_absolute_url()).content.decode()

    def test_offers_the_requests_around_it_in_due_order(self, unit, as_grace):
        first, second, third = make.request(), make.request(), make.request()

        page = as_grace.get(second.get_absolute_url()).content.decode()

        assert "2 of 3 waiting for you" in page
        assert f'rel="prev" href="{first.get_absolute_url()}"' in page
        assert f'rel="next" href="{third.get_absolute_url()}"' in page

    @pytest.mark.parametrize("place", [1, 2, 3, 4])
    def test_offers_them_too_where_more_wait_than_are_numbered(self, unit, as_grace, monkeypatch, place):
        monkeypatch.setattr(reviewing, "NUMBERED", 2)
        around = [None, *(make.request() for _ in range(4)), None]
        before, request, after = around[place - 1 : place + 2]

        page = as_grace.get(request.get_absolute_url()).content.decode()

        assert ("2 of 2+ waiting for you" in page) == (place == 2)
        assert ">2+ waiting for you" in page or place <= 2
        for rel, other in (("prev", before), ("next", after)):
            offered = re.findall(rf'rel="{rel}" href="([^"]*)"', page)
            assert offered == [one.get_absolute_url() for one in [other] if one]

    def test_leads_to_the_first_from_one_that_waits_no_more(self, unit, linus, as_grace, monkeypatch):
        monkeypatch.setattr(reviewing, "NUMBERED", 2)
        first, *_, decided = [make.request() for _ in range(4)]
        make.rejected(decided, linus)

        page = as_grace.get(decided.get_absolute_url()).content.decode()

        assert f'rel="next" href="{first.get_absolute_url()}"' in page

    def test_that_is_open_learns_of_a_right_that_is_lent_and_taken_back(self, unit, vera, linus, as_vera):
        request = make.request()
        page = as_vera.get(request.get_absolute_url())
        assert "You need the reviewer role" in page.content.decode()

        now = database_now()
        lent = delegations.delegate(
            unit_id=unit.pk, to=vera.pk, starts_at=now, ends_at=now + timedelta(days=1), by=make.actor(linus)
        )
        page = asked_again(as_vera, request, page)
        assert "You sign for linus, who delegated it to you." in page.content.decode()
        assert asked_again(as_vera, request, page).status_code == 204

        delegations.revoke(delegation_id=lent.pk, by=make.actor(linus))
        assert "You need the reviewer role" in asked_again(as_vera, request, page).content.decode()


def asked_again(browser, request, page):
    """What the live region of a page that was read before is answered."""
    version = re.search(r'data-live-version="([^"]*)"', page.content.decode().split('id="review"')[1])[1]
    return browser.get(request.get_absolute_url(), headers={**PART, "X-Live": "1", "If-None-Match": f'"{version}"'})


class TestFromAFilteredQueue:
    @pytest.fixture
    def three(self, unit):
        """Two of them are found by the filter."""
        return [make.request(reference=name) for name in ("WANTED-1", "OTHER", "WANTED-2")]

    def test_next_and_previous_keep_to_its_rows(self, three, as_grace):
        first, _, last = three
        opened = re.search(
            r'href="([^"]*)">Post[^<]*WANTED-1', as_grace.get(reverse("approvals"), {"q": "WANTED"}).content.decode()
        )[1]

        page = as_grace.get(unescape(opened)).content.decode()

        assert opened == f"{first.get_absolute_url()}?from=q%3DWANTED"
        assert "1 of 2 with these filters" in page
        assert f'rel="next" href="{last.get_absolute_url()}?from=q%3DWANTED"' in page
        assert f'data-live="{first.get_absolute_url()}?from=q%3DWANTED"' in page
        assert 'href="/approvals/?q=WANTED"' in page

    @pytest.mark.parametrize("as_part", [True, False])
    def test_a_decision_leads_on_within_it(self, three, as_grace, as_part):
        first, _, last = three
        here = f"http://testserver{first.get_absolute_url()}?from=q%3DWANTED"
        headers = {**PART, "HX-Current-URL": here} if as_part else {"Referer": here}

        reply = decide(as_grace, first, headers=headers)

        if not as_part:
            assert reply["Location"] == f"{first.get_absolute_url()}?from=q%3DWANTED"
            reply = as_grace.get(reply["Location"])
        assert f'href="{last.get_absolute_url()}?from=q%3DWANTED" data-focus' in reply.content.decode()

    def test_the_last_decision_says_that_nothing_waits_there_and_not_that_nothing_waits(self, three, as_grace):
        here = f"http://testserver{three[1].get_absolute_url()}?from=q%3DOTHER"

        page = decide(as_grace, three[1], headers={**PART, "HX-Current-URL": here}).content.decode()

        assert "Nothing else waits for you among the rows you came from." in page
        assert "Nothing else waits for you." not in page
        assert '<a href="/approvals/">All that waits</a>' in page

    @pytest.mark.parametrize("nonsense", ["from=%00", "from=tier%3Dx%26unit%3Dy", "from=from%3Dq", "from="])
    def test_that_says_nonsense_is_all_that_waits(self, three, as_grace, nonsense):
        reply = as_grace.get(f"{three[0].get_absolute_url()}?{nonsense}")

        assert reply.status_code == 200
        assert "1 of 3" in reply.content.decode()

    def test_shows_nobody_more_than_they_may_see(self, three, as_eve):
        assert as_eve.get(f"{three[0].get_absolute_url()}?from=state%3Dany").status_code == 404


class TestApprove:
    def test_records_digest_reason_and_what_was_viewed_then_releases_the_action(self, unit, grace, as_grace):
        request = make.request()

        reply = decide(as_grace, request)

        voice = Decision.objects.get(request=request)
        assert (reply.status_code, reply["Location"]) == (302, request.get_absolute_url())
        assert (voice.person, voice.digest, voice.reason_code) == (grace, request.digest, "evidence_checked")
        assert voice.viewed["sections"] == VIEWED
        assert voice.viewed["reading"] == {"act": {"ms": 1200, "opens": 1}}
        assert voice.viewed["view"] == showing.view_digest(request)
        assert Action.objects.get(pk=request.subject_id).status == "granted"

    def test_keeps_of_what_the_browser_reports_only_what_has_the_right_shape(self, unit, as_grace):
        folds = ["fold-what-draft-gave", "<b>", 7, "fold-" + "x" * 300]
        told = {
            "act": {"ms": 5, "opens": "many", "folds": folds, "more": 1},
            "change": {"folds": "all"},
            "elsewhere": {"ms": 1},
        }

        decide(as_grace, make.request(), reading=json.dumps(told))

        assert Decision.objects.get().viewed["reading"] == {
            "act": {"ms": 5, "folds": ["fold-what-draft-gave"]},
            "change": {},
        }

    def test_shows_htmx_the_result_and_the_next_one(self, unit, as_grace):
        request, other = make.request(), make.request()

        reply = decide(as_grace, request, headers=PART)

        page = reply.content.decode()
        assert reply.status_code == 200
        assert page.strip().startswith('<div id="review"')
        assert "You approved this" in page
        assert f'href="{other.get_absolute_url()}" data-focus' in page

    def test_twice_is_once(self, unit, as_grace):
        request = make.request()

        decide(as_grace, request)
        again = decide(as_grace, request)

        assert again.status_code == 302
        assert Decision.objects.filter(request=request).count() == 1

    def test_of_somebody_who_has_signed_may_be_a_no_while_it_waits_for_others(self, unit, as_grace, as_linus):
        make.policy()
        request = make.request("4860.00")
        assert "Reject it after all" not in as_grace.get(request.get_absolute_url()).content.decode()
        decide(as_grace, request)

        page = as_grace.get(request.get_absolute_url()).content.decode()
        form = page.split('id="decision-form"')[1].split("</form>")[0]
        assert "Reject it after all" in page
        assert '<input type="hidden" name="verdict" value="reject">' in form
        assert '<option value="wrong_amount">' in form
        assert '<option value="evidence_checked">' not in form
        kept = decide(as_grace, request, "reject", reason_code="other", note="")
        assert kept.status_code == 422
        assert "open><summary>Reject it after all" in kept.content.decode()
        decide(as_grace, request, "reject")

        page = as_grace.get(request.get_absolute_url()).content.decode()
        assert ApprovalRequest.objects.get(pk=request.pk).status == "rejected"
        assert "You rejected this" in page
        assert "Reject it after all" not in page
        assert page.split('id="decision"')[1].count("grace") >= 2

    def test_of_the_second_person_completes_it(self, unit, as_grace, as_linus):
        make.policy()
        request = make.request("4860.00")

        decide(as_grace, request)
        decide(as_linus, request)

        assert ApprovalRequest.objects.get(pk=request.pk).status == "approved"


class TestReject:
    def test_takes_the_same_form_and_ends_the_request(self, unit, as_grace):
        request = make.request()

        decide(as_grace, request, "reject", note="the invoice says 486.00")

        action = Action.objects.get(pk=request.subject_id)
        assert ApprovalRequest.objects.get(pk=request.pk).status == "rejected"
        assert action.status == "rejected"
        assert any("the invoice says 486.00" in reason for reason in action.reasons)


class TestWhatFollows:
    @pytest.mark.parametrize(
        ("verdict", "says"),
        [("approve", "The act is released at once"), ("reject", "The agent is told the reason and note, and goes on")],
    )
    def test_stands_on_the_page_of_what_was_decided_as_well(self, unit, as_grace, verdict, says):
        request = make.request()
        given = decide(as_grace, request, verdict, headers=PART).content.decode()

        for page in (given, as_grace.get(request.get_absolute_url()).content.decode()):
            assert "<h3>What follows</h3>" in page
            assert f"<dt>Now</dt><dd>{says}" in page.replace("A no is final, whatever others said. ", "")
            assert "If nobody decides" not in page

    def test_is_nothing_where_time_ran_out(self, unit, as_grace):
        request = make.request()
        ApprovalRequest.objects.filter(pk=request.pk).update(decide_by=Now() - timedelta(seconds=1))
        expire_overdue(by=system("test"))
        assert "What follows" not in as_grace.get(request.get_absolute_url()).content.decode()


class TestTheHistory:
    def test_tells_reasons_in_words(self, unit, as_grace):
        request = make.request()
        decide(as_grace, request, "reject", note="the invoice says 486.00")

        pages = [as_grace.get(address).content.decode() for address in (
            request.get_absolute_url(), reverse("action", args=[request.subject_id]),
        )]  # fmt: skip

        assert all("Wrong amount: the invoice says 486.00" in page for page in pages)
        assert not any("wrong_amount:" in page or ": wrong_amount" in page for page in pages)


class TestRefusingAtOnce:
    """Approving is never easier than refusing, and refusing waits for nothing."""

    @pytest.fixture
    def asked(self, unit):
        make.policy()
        return make.request("4860.00")

    def test_needs_a_reason_and_neither_the_parts_nor_the_value(self, asked, as_grace):
        reply = decide(as_grace, asked, "reject", viewed=[], critical="")

        assert reply.status_code == 302
        assert ApprovalRequest.objects.get(pk=asked.pk).status == "rejected"
        assert Decision.objects.get(request=asked).viewed["sections"] == []

    def test_without_a_reason_is_refused(self, asked, as_grace):
        reply = decide(as_grace, asked, "reject", viewed=[], critical="", reason_code="")

        assert reply.status_code == 422
        assert not Decision.objects.exists()

    @pytest.mark.parametrize("left", [{"viewed": []}, {"critical": ""}, {"viewed": [], "critical": ""}])
    def test_leaves_approving_as_locked_as_it_was(self, asked, as_grace, left):
        reply = decide(as_grace, asked, "approve", **left)

        assert reply.status_code == 422
        assert not Decision.objects.exists()

    def test_says_on_the_page_what_approving_needs_and_lets_the_browser_ask_for_none_of_it(self, asked, as_grace):
        page = as_grace.get(asked.get_absolute_url()).content.decode()
        form = page[page.index('id="decision-form"') :].partition("</form>")[0]

        assert "before approving; rejecting is possible at once" in form
        assert not re.search(r'name="(viewed|critical)"[^>]* required', form)

    def test_by_the_second_reviewer_tells_them_nothing_of_the_first_before(self, asked, grace, as_linus):
        make.approved(asked, grace)

        unseen = as_linus.get(asked.get_absolute_url()).content.decode()
        refused = decide(as_linus, asked, "reject", viewed=[], critical="", reason_code="")
        decide(as_linus, asked, "reject", viewed=[], critical="")

        assert "grace" not in unseen + refused.content.decode()
        assert ApprovalRequest.objects.get(pk=asked.pk).status == "rejected"

    def test_of_what_changed_meanwhile_is_refused_all_the_same(self, asked, as_grace):
        reply = decide(as_grace, asked, "reject", viewed=[], critical="", view="0" * 64)

        assert reply.status_code == 409

    def test_by_a_question_waits_for_nothing_either(self, asked, as_grace):
        said = {"digest": asked.digest, "revision": asked.revision, "question": "Which invoice?"}

        as_grace.post(reverse("approval_questions", args=[asked.pk]), said)

        assert ApprovalRequest.objects.get(pk=asked.pk).status == "sent_back"


class TestFormFaults:
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            ({"verdict": ""}, "Choose Approve or Reject."),
            ({"reason_code": ""}, "Choose the reason that fits best."),
            ({"reason_code": "duplicate"}, "is no reason to approve. Choose one that is"),
        ],
    )
    def test_keep_what_was_typed_and_record_nothing(self, unit, as_grace, fault, words):
        request = make.request()

        reply = decide(as_grace, request, headers=PART, note="kept", **fault)

        assert reply.status_code == 422
        assert words in reply.content.decode()
        assert "kept</textarea>" in reply.content.decode()
        assert not Decision.objects.exists()

    def test_of_other_without_a_note_are_said_by_the_verb_itself(self, unit, as_grace):
        reply = decide(as_grace, make.request(), reason_code="other")

        assert reply.status_code == 422
        assert "needs a note" in reply.content.decode() or "A note is needed" in reply.content.decode()

    def test_of_an_unread_part_stop_a_two_person_act(self, unit, as_grace):
        make.policy()

        reply = decide(as_grace, make.request("4860.00"), viewed=["act", "change"])

        assert reply.status_code == 422
        assert "Still to view: Evidence, Policy." in reply.content.decode()

    def test_of_a_reading_record_made_up_by_hand_are_dropped(self, unit, as_grace):
        hostile = json.dumps({"act": {"ms": "long"}, "other": {"ms": 1}, "policy": [], "change": {"ms": 5}})
        request = make.request()

        decide(as_grace, request, reading=hostile)

        assert Decision.objects.get(request=request).viewed["reading"] == {"act": {}, "change": {"ms": 5}}


class TestRefusal:
    def test_of_another_digest_shows_what_differs_and_keeps_the_text(self, unit, as_grace):
        request = make.request()

        reply = decide(as_grace, request, digest="f" * 64, note="typed before")

        page = reply.content.decode()
        assert reply.status_code == 409
        assert "changed after you opened it" in page
        assert "typed before</textarea>" in page
        assert AuditEvent.objects.filter(event="request.refused", why="changed_since_viewed").exists()

    def test_of_the_asker_is_said_on_the_page_and_by_the_verb(self, unit, grace, as_grace):
        request = make.request(by=make.actor(grace))

        page, reply = as_grace.get(request.get_absolute_url()), decide(as_grace, request)

        assert "somebody else has to decide" in page.content.decode()
        assert reply.status_code == 403
        assert not Decision.objects.exists()

    def test_of_a_second_voice_of_the_same_person(self, unit, as_grace, as_linus):
        make.policy()
        request = make.request("4860.00")
        decide(as_grace, request)
        make.linked("both", *get_user_model().objects.filter(username__in=["grace", "linus"]))

        reply = decide(as_linus, request)

        assert reply.status_code == 409
        assert Decision.objects.count() == 1

    def test_sent_again_when_its_code_is_long_over_is_the_one_that_was_recorded(self, unit, as_grace):
        make.policy()
        request = make.request("4860.00")
        decide(as_grace, request)

        reply = decide(as_grace, request, headers=PART, assertion="", challenge="", code="000000")

        assert reply.status_code == 200
        assert "You approved this" in reply.content.decode()
        assert "Nothing was" not in reply.content.decode().split('id="decision"')[1]

    def test_of_a_decided_request_says_how_it_ended(self, unit, linus, as_grace):
        request = make.rejected(make.request(), linus)

        reply = decide(as_grace, request, headers=PART)

        assert reply.status_code == 409
        assert "already rejected" in reply.content.decode()

    def test_of_ones_own_other_tab_shows_the_note_again_and_claims_no_form(self, unit, as_grace):
        request = make.request()
        decide(as_grace, request, verdict="reject", reason_code="missing_evidence", note="no invoice")

        page = decide(as_grace, request, note="the invoice came").content.decode()

        assert "Your note, which was not recorded: “the invoice came”" in page
        assert "What you typed is still here" not in page

    def test_of_a_late_voice(self, unit, as_grace):
        request = make.request()
        make.later("approvals_approvalrequest", "decide_by", request.pk, 2 * 86400)

        page, reply = as_grace.get(request.get_absolute_url()), decide(as_grace, request)

        assert "time to decide is over" in page.content.decode()
        assert reply.status_code == 409

    def test_of_a_viewer(self, unit, as_vera):
        request = make.request()

        assert decide(as_vera, request).status_code == 403
        assert not Decision.objects.exists()


CHECK = "Amount matches the invoice?"


class TestAPolicyThatSaysMore:
    @pytest.fixture
    def asked(self, unit, grace, linus):
        make.group("finance", grace)
        make.group("risk", linus)
        make.policy(
            "payments", needs=make.needs("1 from finance", "1 from risk"), checks=[CHECK],
            reason_codes=["evidence_checked", "wrong_amount"],
        )  # fmt: skip
        return make.request("4860.00")

    def test_names_who_is_still_needed_on_the_page_and_in_the_queue(self, asked, as_grace, as_linus):
        before = as_grace.get(asked.get_absolute_url()).content.decode()
        decide(as_grace, asked, check_0="yes")

        assert "one from Finance and one from Risk" in before
        assert (
            "It waits for <strong>one from Risk</strong> now."
            in as_grace.get(asked.get_absolute_url()).content.decode()
        )
        assert "one from Risk" in as_linus.get(reverse("approvals")).content.decode()

    def test_asks_its_checks_with_no_answer_chosen_and_offers_its_reasons_only(self, asked, as_grace):
        page = as_grace.get(asked.get_absolute_url()).content.decode()

        assert CHECK in page
        assert not re.search(r'name="check_0"[^>]* checked', page)
        assert 'value="evidence_checked"' in page
        assert 'value="within_policy"' not in page

    @pytest.mark.parametrize(
        ("answers", "says"),
        [({}, "before you approve"), ({"check_0": "no"}, "You answered no, so this cannot be approved")],
    )
    def test_is_not_approved_without_a_yes_and_keeps_what_was_typed(self, asked, as_grace, answers, says):
        reply = decide(as_grace, asked, note="seen on paper", **answers)

        page = reply.content.decode()
        assert reply.status_code == 422
        assert says in page
        assert "seen on paper" in page
        assert not Decision.objects.exists()

    def test_shows_the_answers_beside_the_decision(self, asked, as_grace):
        decide(as_grace, asked, check_0="yes")

        page = as_grace.get(asked.get_absolute_url()).content.decode()
        assert f"{CHECK} <strong>Yes</strong>" in page

    def test_shows_them_in_the_order_in_which_they_were_asked(self, unit, as_grace, grace, linus):
        asked = ["Whose account is it?", "Amount?", "Is the invoice there?"]
        make.group("finance", grace)
        make.group("risk", linus)
        make.policy("payments", needs=make.needs("1 from finance", "1 from risk"), checks=asked)
        request = make.request("4860.00")
        decide(as_grace, request, **{f"check_{number}": "yes" for number in range(3)})

        page = as_grace.get(request.get_absolute_url()).content.decode()
        assert sorted(asked, key=lambda check: page.index(f"{check} <strong>Yes")) == asked

    def test_tells_a_reviewer_outside_the_groups_that_they_can_only_reject(self, asked, unit):
        other = browser_of(make.person("gus", "view", "review", of=unit))

        page = other.get(asked.get_absolute_url()).content.decode()
        yes = decide(other, asked, check_0="yes")
        no = decide(other, asked, "reject")

        assert "Your signature would not count here" in page
        assert (yes.status_code, no.status_code) == (403, 302)


class TestReadingTheRecordAgain:
    @pytest.fixture
    def held(self, unit):
        execution = make.execution("waiting")
        return ApprovalRequest.objects.get(execution_id=execution.pk)

    def test_is_asked_by_a_post_and_by_nothing_else(self, held, as_grace):
        address = reverse("approval_readings", args=[held.pk])
        as_grace.get(held.get_absolute_url())
        assert as_grace.get(address).status_code == 405
        held.refresh_from_db()
        assert held.reading_asked_at is None

        answer = as_grace.post(address)

        held.refresh_from_db()
        assert (answer.status_code, held.reading_asked_by) == (302, "grace")
        assert "The record is being read again" in as_grace.get(held.get_absolute_url()).content.decode()

    @pytest.mark.parametrize(("sent", "named"), [({}, "grace"), ({"by_itself": "yes"}, "review page")])
    def test_is_told_as_the_pages_own_doing_unless_somebody_clicked(self, held, grace, as_grace, sent, named):
        as_grace.post(reverse("approval_readings", args=[held.pk]), sent)

        held.refresh_from_db()
        event = AuditEvent.objects.get(event="approval_request.reading_asked")
        assert (held.reading_asked_by, event.actor_name) == (named, named)
        assert json.loads(event.data or "{}") == ({"opened_by": f"user:{grace.pk}"} if sent else {})

    def test_is_not_offered_where_nobody_could_read(self, unit, as_grace):
        page = as_grace.get(make.request().get_absolute_url()).content.decode()

        assert "Read again" not in page

    def test_is_refused_to_who_may_not_decide(self, held, as_grace, client):
        client.force_login(make.person("olaf", "view"))

        assert client.post(reverse("approval_readings", args=[held.pk])).status_code == 403
        client.force_login(make.person("stranger", of=make.unit("elsewhere", "Elsewhere")))
        assert client.post(reverse("approval_readings", args=[held.pk])).status_code == 404

    def test_that_failed_says_why_as_text(self, held, as_grace):
        ApprovalRequest.objects.filter(pk=held.pk).update(
            record_found="failed", record_read_at=held.created_at, record_trouble="<b>503</b>"
        )

        page = as_grace.get(held.get_absolute_url()).content.decode()

        assert "The record could not be read" in page
        assert "<b>503</b>" not in page

    def test_is_stored_with_the_decision_that_had_it_on_screen(self, held, as_grace):
        ApprovalRequest.objects.filter(pk=held.pk).update(record_found="unchanged", record_read_at=held.created_at)
        held.refresh_from_db()
        form = as_grace.get(held.get_absolute_url()).content.decode()
        shown = re.search(r'name="record_read" value="([^"]+)"', form)[1]

        decide(as_grace, held, record_read=shown)

        assert Decision.objects.get(request=held).viewed["record_read"] == held.created_at.isoformat()
