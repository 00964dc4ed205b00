"""What a reviewer does beside signing, on the page: ask, edit, give the result; and who answers. Typed text is never lost."""

import re

import pytest
from django.urls import reverse

from approvals.models import ApprovalRequest, Decision, Edit, Remark
from approvals.rules import showing
from audit.models import AuditEvent
from orchestrator.models import Action
from tests import make
from tests.pages.asking import PART
from tests.pages.test_review import decide


def over(request, **more):
    return {"digest": request.digest, "revision": request.revision, "view": showing.view_digest(request), **more}


def post(browser, name, request, **more):
    return browser.post(reverse(name, args=[request.pk]), over(request, **more), headers=PART)


def ask(browser, request, question="Which invoice?", **more):
    return post(browser, "approval_questions", request, question=question, **more)


def edit(browser, request, **typed):
    """What the form sends: every value as it stood, those named here as typed."""
    form = browser.get(request.get_absolute_url()).context["edit_form"]
    fields = {bound.name: typed.pop(bound.label, bound.initial) for bound in form.offered}
    return post(browser, "approval_edits", request, **fields, note="typo", **typed)


def give(browser, request, result='{"posting": "P-9"}', **more):
    return post(browser, "approval_results", request, result=result, reason_code="duplicate", note="", **more)


def said(reply):
    """The result of a part's post, told in that very part; without htmx it leads to the page, which tells it."""
    assert reply.status_code == 200
    page = reply.content.decode()
    assert page.strip().startswith('<div id="review"')
    return re.search(r"<p[^>]* data-said>.*?</p>", page, re.DOTALL)[0]


def at(form, page):
    """What the page says in this form."""
    return page[page.index(f'id="{form}-form"') :].partition("</form>")[0]


def again(request):
    return ApprovalRequest.objects.get(pk=request.pk)


class TestAsking:
    def test_sends_it_back_and_the_operator_answers_on_the_page(self, unit, as_grace, as_ada):
        request = make.request()

        assert "Your question is sent." in said(ask(as_grace, request))
        page = as_ada.get(request.get_absolute_url()).content.decode()
        assert "Which invoice?" in page
        assert 'id="reply-form"' in page
        answered = post(as_ada, "approval_replies", request, reply="Number <b>88213</b>")
        assert "Your answer is recorded." in said(answered)

        page = as_grace.get(request.get_absolute_url()).content.decode()
        assert again(request).status == "pending"
        assert "Number &lt;b&gt;88213&lt;/b&gt;" in page
        assert 'id="decision-form"' in page

    def test_without_htmx_leads_to_the_page_which_tells_it_once(self, unit, as_grace):
        request = make.request()

        reply = as_grace.post(reverse("approval_questions", args=[request.pk]), over(request, question="Which?"))
        first, second = (as_grace.get(request.get_absolute_url()).content.decode() for _ in range(2))

        assert (reply.status_code, reply["Location"]) == (302, request.get_absolute_url())
        assert ("Your question is sent." in first, "Your question is sent." in second) == (True, False)

    def test_takes_the_form_away_until_it_is_answered(self, unit, as_grace):
        request = make.request()
        ask(as_grace, request)

        page = as_grace.get(request.get_absolute_url()).content.decode()

        assert 'id="decision-form"' not in page
        assert "sent back with a question" in page

    def test_leaves_question_and_answer_in_the_trail(self, unit, as_grace, as_ada):
        request = make.request()
        ask(as_grace, request)
        post(as_ada, "approval_replies", request, reply="88213")

        events = (
            AuditEvent.objects.filter(object_id=request.pk).order_by("seq").values_list("event", "before", "actor_name")
        )
        assert [*events][-2:] == [
            ("approval_request.sent_back", "pending", "grace"), ("approval_request.pending", "sent_back", "ada"),
        ]  # fmt: skip

    def test_of_what_changed_meanwhile_is_refused_and_keeps_the_question(self, unit, as_grace, linus):
        request = make.request()
        make.rejected(request, linus)

        reply = ask(as_grace, request, question="my careful question")

        assert reply.status_code == 409
        assert "my careful question" in reply.content.decode()
        assert not Remark.objects.exists()

    @pytest.mark.parametrize(("as_whom", "status"), [("as_vera", 403), ("as_ada", 403), ("as_eve", 404)])
    def test_is_for_reviewers_only(self, unit, as_whom, status, request):
        asked = make.request()

        reply = ask(request.getfixturevalue(as_whom), asked)

        assert reply.status_code == status
        assert again(asked).status == "pending"

    def test_of_nothing_is_a_fault_of_the_form(self, unit, as_grace):
        reply = ask(as_grace, make.request(), question=" ")

        assert reply.status_code == 422
        assert "Write what you want to know." in reply.content.decode()

    def test_changes_nothing_on_get(self, unit, as_grace):
        request = make.request()

        for name in ("approval_questions", "approval_replies", "approval_edits", "approval_results"):
            assert as_grace.get(reverse(name, args=[request.pk])).status_code == 405


class TestReplying:
    def test_is_refused_to_a_reviewer_who_was_not_asked(self, unit, as_grace, as_linus):
        request = make.request()
        ask(as_grace, request)

        reply = post(as_linus, "approval_replies", request, reply="I think so")

        assert reply.status_code == 403
        assert again(request).status == "sent_back"


class TestEditing:
    def test_puts_the_edit_before_the_reviewers_with_its_difference(self, unit, grace, as_grace):
        request = make.request("48.20")

        assert "Your edit is in place." in said(edit(as_grace, request, amount="84.20"))

        page = as_grace.get(request.get_absolute_url()).content.decode()
        assert (again(request).revision, again(request).status) == (2, "pending")
        assert "grace made revision 2" in page
        assert "Post 84.20 EUR" in page
        assert not Decision.objects.exists()

    def test_asks_the_policies_anew_and_may_need_another_person(self, unit, grace, as_grace):
        make.policy()
        request = make.request("48.20")

        edit(as_grace, request, amount="4860.00")

        edited = make.approved(again(request), grace)
        assert (edited.required, edited.status) == (2, "pending")

    def test_never_asks_fewer_people_than_before(self, unit, as_grace):
        make.policy()
        request = make.request("4860.00")

        edit(as_grace, request, amount="1.00")

        assert again(request).required == 2

    def test_voids_the_signature_of_the_first_reviewer_who_may_sign_again(self, unit, grace, linus, as_linus):
        make.policy()
        request = make.approved(make.request("4860.00"), grace)

        edit(as_linus, request, amount="4861.00")
        edited = make.approved(again(request), linus)
        assert edited.status == "pending"

        assert make.approved(edited, grace).status == "approved"

    def test_that_breaks_the_tools_schema_or_type_is_refused_and_keeps_what_was_typed(self, unit, as_grace):
        tool = make.tool("orders.count", record="", business_key="", title="Count", input_schema={
            "type": "object", "properties": {"count": {"type": "integer", "maximum": 5}}})  # fmt: skip
        make.agent()
        action = make.gate_propose.propose(
            tool=tool.name, arguments={"count": 3}, agent="poster", unit_id=unit.pk, by=make.MAKER
        )
        request = ApprovalRequest.objects.get(pk=action.approval_id)

        too_many, no_number = edit(as_grace, request, count="7"), edit(as_grace, request, count="many")

        assert (too_many.status_code, no_number.status_code) == (422, 422)
        page = at("edit", too_many.content.decode())
        assert "This has to be at most 5." in page
        assert page.count("has to be at most 5") == 1
        assert 'value="many"' in no_number.content.decode()
        assert not Edit.objects.exists()

    def test_offers_a_yes_or_no_as_something_that_stands_there_and_not_as_optional(self, unit, as_grace):
        tool = make.tool("orders.ship", record="", business_key="", title="Ship", input_schema={
            "type": "object", "properties": {"express": {"type": "boolean"}}})  # fmt: skip
        make.agent()
        action = make.gate_propose.propose(
            tool=tool.name, arguments={"express": True}, agent="poster", unit_id=unit.pk, by=make.MAKER
        )
        page = as_grace.get(reverse("approval", args=[action.approval_id])).content.decode()

        values = at("edit", page).partition("editform_note")[0]
        assert "express" in values
        assert "optional" not in values.partition("Why")[0]

    def test_that_changes_nothing_is_refused_at_the_edit_and_nowhere_else(self, unit, as_grace):
        reply = edit(as_grace, make.request())

        page = reply.content.decode()
        assert reply.status_code == 422
        assert "Nothing is different." in at("edit", page)
        assert "typo</textarea>" in at("edit", page)
        assert page.count("data-refusal") == 1

    def test_of_what_changed_meanwhile_shows_the_difference_at_the_edit(self, unit, as_grace, as_linus):
        request = make.request("48.20")
        old = over(request)
        form = as_grace.get(request.get_absolute_url()).context["edit_form"]
        fields = {bound.name: bound.initial for bound in form.offered}
        edit(as_linus, request, amount="84.20")

        reply = as_grace.post(
            reverse("approval_edits", args=[request.pk]), {**fields, **old, "note": "mine"}, headers=PART
        )

        page = at("edit", reply.content.decode())
        assert reply.status_code == 409
        assert all(
            words in page for words in ("changed after you opened it", "What differs from what you read", "mine")
        )

    def test_sent_again_after_a_colleague_edited_it_further_is_told_that_it_was_recorded(
        self, unit, as_grace, as_linus
    ):
        request = make.request("48.20")
        first = over(request)
        form = as_grace.get(request.get_absolute_url()).context["edit_form"]
        sent = {bound.name: {"amount": "84.20"}.get(bound.label, bound.initial) for bound in form.offered}
        address = reverse("approval_edits", args=[request.pk])
        as_grace.post(address, {**sent, **first, "note": ""}, headers=PART)
        edit(as_linus, again(request), amount="90.00")

        reply = as_grace.post(address, {**sent, **first, "note": ""}, headers=PART)

        page = at("edit", reply.content.decode())
        assert reply.status_code == 409
        assert "Your edit was recorded, and edited again since." in page
        assert "Nothing was recorded" not in page
        assert Edit.objects.count() == 2

    def test_of_what_is_decided_says_so_with_the_decision_because_the_form_is_gone(self, unit, as_grace, linus):
        request = make.request()
        form = as_grace.get(request.get_absolute_url()).context["edit_form"]
        make.rejected(request, linus)

        reply = post(as_grace, "approval_edits", request, **{bound.name: "7" for bound in form.offered}, note="my note")

        page = reply.content.decode()
        assert reply.status_code == 409
        assert 'id="edit-form"' not in page
        assert "already rejected" in page
        assert "my note" in page

    def test_leaves_line_ends_that_a_browser_rewrites_as_they_were(self, unit, as_grace):
        request = make.request(memo="one\ntwo")

        edit(as_grace, request, memo="one\r\ntwo", amount="49.00")

        assert Action.objects.get(pk=request.subject_id).arguments.count("one\\ntwo") == 1

    def test_is_not_offered_for_values_with_hidden_characters(self, unit, as_grace):
        request = make.request(memo="pay\u202eevil")

        form = as_grace.get(request.get_absolute_url()).context["edit_form"]

        assert "memo" not in [bound.label for bound in form.offered]

    def test_is_refused_to_whoever_may_not_sign(self, unit, grace, as_grace, as_vera):
        own = make.request(by=make.actor(grace))

        assert post(as_grace, "approval_edits", own, value_1="1").status_code in {403, 422}
        assert edit(as_vera, make.request(), amount="1.00").status_code == 403
        assert not Edit.objects.exists()


class TestGivingTheResult:
    def test_ends_it_and_says_who_answered(self, unit, as_grace):
        request = make.request()

        assert "Your result is recorded." in said(give(as_grace, request))

        action = Action.objects.get(pk=request.subject_id)
        assert (again(request).status, action.status, action.result) == ("answered", "answered", {"posting": "P-9"})
        assert "You gave the result" in as_grace.get(request.get_absolute_url()).content.decode()
        assert "answered by grace" in action.message
        shown = as_grace.get(action.get_absolute_url()).content.decode()
        assert "What a person gave as the result" in shown
        assert "What the tool answered" not in shown

    @pytest.mark.parametrize("result", ["", "[1]", "{", '{"a": 1, "a": 2}', '{"n": 9007199254740993}'])
    def test_that_is_no_json_object_keeps_what_was_typed(self, unit, as_grace, result):
        reply = give(as_grace, make.request(), result=result)

        assert reply.status_code == 422
        assert not Decision.objects.exists()

    def test_is_no_answer_of_the_decision_form(self, unit, as_grace):
        reply = decide(as_grace, make.request(), verdict="answer")

        assert reply.status_code == 422
        assert not Decision.objects.exists()

    def test_is_not_offered_where_two_people_decide(self, unit, as_grace):
        make.policy()
        request = make.request("4860.00")

        assert 'id="result-form"' not in as_grace.get(request.get_absolute_url()).content.decode()
        assert give(as_grace, request).status_code == 403


class TestTheSecondReviewer:
    def test_reads_the_evidence_first(self, unit, grace, as_linus):
        make.policy()
        request = make.approved(make.request("4860.00"), grace)

        page = as_linus.get(request.get_absolute_url()).content.decode()

        order = ["1 Evidence", "2 What will happen", "3 Change against the record", "4 Policy"]
        assert [page.index(part) for part in order] == sorted(page.index(part) for part in order)

    def test_finds_no_verdict_in_the_audit_log_until_their_own_is_recorded(self, unit, grace, as_grace):
        make.policy()
        request = make.approved(make.request("4860.00"), make.person("first", "view", "review", of=unit))
        make.grant(grace, "audit", unit)

        before = as_grace.get(reverse("audit"), {"object": request.pk}).content.decode()
        make.approved(request, grace)
        after = as_grace.get(reverse("audit"), {"object": request.pk}).content.decode()

        assert "first signed for it" not in before
        assert "first signed for it" in after

    def test_does_not_find_it_in_the_history_of_the_action_either(self, unit, grace, as_linus):
        make.policy()
        request = make.approved(make.request("4860.00"), grace)

        page = as_linus.get(reverse("action", args=[request.subject_id])).content.decode()

        assert "grace" not in page

    def test_has_to_type_the_amount_as_it_is(self, unit, as_grace):
        make.policy()
        request = make.request("4860.00")
        wrong, right = (
            decide(as_grace, request, critical="486.00", note="kept"),
            decide(as_grace, request, critical="4.860,00"),
        )

        assert wrong.status_code == 422
        assert "kept</textarea>" in wrong.content.decode()
        assert right.status_code == 302

    def test_is_refused_a_page_that_says_something_else_by_now(self, unit, as_grace):
        reply = decide(as_grace, make.request(), view="0" * 64, note="kept")

        assert reply.status_code == 409
        assert "What the page says has changed" in reply.content.decode()


class TestChangedMeanwhile:
    def test_keeps_the_words_and_lets_them_be_sent_over_what_the_page_shows_now(self, unit, as_grace, as_linus):
        request = make.request("48.20")
        old = over(request)
        edit(as_linus, request, amount="84.20")

        reply = decide(as_grace, request, digest=old["digest"], revision=1, view=old["view"], note="my words")
        form = reply.context["form"]

        assert reply.status_code == 409
        assert "my words</textarea>" in reply.content.decode()
        assert "What differs from what you read" in reply.content.decode()
        assert (form["digest"].value(), form["verdict"].value()) == (again(request).digest, None)

    def test_keeps_a_question_too_and_it_can_be_sent_again(self, unit, as_grace, as_linus):
        request = make.request("48.20")
        old = over(request)
        edit(as_linus, request, amount="84.20")

        reply = as_grace.post(
            reverse("approval_questions", args=[request.pk]), {**old, "question": "mine"}, headers=PART
        )
        form = reply.context["question_form"]

        assert (reply.status_code, form["question"].value()) == (409, "mine")
        assert as_grace.post(
            reverse("approval_questions", args=[request.pk]), {bound.name: bound.value() for bound in form}
        ).status_code == 302  # fmt: skip


class TestTimeOnThePage:
    def test_is_measured_by_the_server(self, unit, as_grace):
        request = make.request()
        form = as_grace.get(request.get_absolute_url()).context["form"]

        decide(as_grace, request, opened=form["opened"].initial)

        assert Decision.objects.get(request=request).viewed["seconds"] in range(60)

    def test_made_up_by_hand_is_not_known(self, unit, as_grace):
        request = make.request()

        decide(as_grace, request, opened="1:2:3")

        assert Decision.objects.get(request=request).viewed["seconds"] is None
