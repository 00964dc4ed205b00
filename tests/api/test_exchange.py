"""What reviewers do beside signing, as the agent sees it: edits, questions and answers, a person's result, coded reasons."""

import pytest

from approvals.models import ApprovalRequest, Edit
from approvals.operations.questions import send_back
from orchestrator.models import Action, Execution
from orchestrator.operations import tokens
from tests import make as made
from tests.api.conftest import Caller, cancel_order, make_person, make_token, signed_in, voice
from tests.authenticator import given_to
from tests.pages.asking import person_of
from tests.passkey import confirmed

pytestmark = pytest.mark.django_db


@pytest.fixture
def action(api):
    return api.post("actions/", cancel_order())[1]


@pytest.fixture
def browser(grace):
    return signed_in(grace)


def path(action, what=""):
    return f"approvals/{action['approval']['id']}/{what}"


def read(browser, action):
    status, approval, _ = browser.get(path(action))
    assert status == 200
    return approval


def over(approval, **more):
    return {"digest": approval["digest"], "revision": approval["revision"], **more}


class TestRejecting:
    def test_tells_the_agent_the_coded_reason_and_the_note(self, api, browser, action):
        approval = read(browser, action)
        browser.post(path(action, "decisions/"), voice(approval, "reject", reason_code="wrong_target", note="Order B2"))

        found = api.get(f"actions/{action['id']}/")[1]

        assert found["status"] == "rejected"
        assert (found["approval"]["reason_code"], found["approval"]["note"]) == ("wrong_target", "Order B2")


class TestEditing:
    def test_hands_the_edited_bytes_to_the_agent_once_signed(self, api, browser, action):
        status, edited, _ = browser.post(path(action, "edits/"), over(read(browser, action), arguments={"order": "B2"}))
        assert status == 201
        assert (edited["revision"], edited["edits"][0]["changes"][0]["after"]) == (2, "B2")
        browser.post(path(action, "decisions/"), voice(edited))

        found = api.get(f"actions/{action['id']}/")[1]
        ticket = api.post(f"actions/{action['id']}/redemptions/")[1]

        assert (found["arguments"], found["proposed_arguments"]) == ({"order": "B2"}, {"order": "A1"})
        assert ticket["arguments"] == {"order": "B2"}

    def test_voids_what_was_signed_over_the_bytes_before(self, browser, action):
        old = read(browser, action)
        browser.post(path(action, "edits/"), over(old, arguments={"order": "B2"}))

        status, problem, _ = browser.post(path(action, "decisions/"), voice(old))

        assert (status, problem["code"]) == (409, "changed_since_viewed")

    def test_keeps_the_hint_of_the_proposal_as_proposed(self, api, browser):
        action = api.post("actions/", cancel_order(idempotency_hint="h"))[1]
        browser.post(path(action, "edits/"), over(read(browser, action), arguments={"order": "B2"}))

        again = api.post("actions/", cancel_order(idempotency_hint="h"))[1]

        assert again["id"] == action["id"]

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            ({"order": 7}, "other_shape"), ({"order": "B2", "more": "x"}, "other_shape"), ({}, "other_shape"),
            ({"order": "A1"}, "unchanged"), ({"order": ["B2"]}, "other_shape"),
        ],
    )  # fmt: skip
    def test_refuses_another_shape_and_nothing_new(self, browser, action, arguments, code):
        status, problem, _ = browser.post(path(action, "edits/"), over(read(browser, action), arguments=arguments))

        assert (status, problem["errors"][0]["code"]) == (422, code)
        assert not Edit.objects.exists()

    def test_is_not_for_a_token_nor_for_a_viewer(self, api, browser, action, world):
        body = over(read(browser, action), arguments={"order": "B2"})
        viewer = signed_in(make_person("vera", world, "view"))

        assert api.post(path(action, "edits/"), body)[0] == 403
        assert viewer.post(path(action, "edits/"), body)[1]["code"] == "not_a_reviewer"

    def test_tells_whoever_decides_on_what_they_had_read_where_it_differs_now(self, browser, action):
        before = read(browser, action)
        _, edited, headers = browser.post(path(action, "edits/"), over(before, arguments={"order": "B2"}))

        late = [
            browser.post(path(action, "decisions/"), voice(before)),
            browser.post(path(action, "decisions/"), voice(before), **{"If-Match": f'"1-{before["digest"][:16]}"'}),
            browser.post(path(action, "questions/"), over(before, question="Why?")),
        ]

        assert headers["ETag"] == browser.get(path(action))[2]["ETag"] == f'"2-{edited["digest"][:16]}"'
        assert [(status, problem["code"]) for status, problem, _ in late] == [(409, "changed_since_viewed")] * 3
        current = {"revision": 2, "digest": edited["digest"], "changed": ["/arguments/order", "/revision"]}
        assert [problem["current"] for _, problem, _ in late] == [current] * 3

    def test_twice_is_once(self, browser, action):
        body = over(read(browser, action), arguments={"order": "B2"})

        first, second = browser.post(path(action, "edits/"), body), browser.post(path(action, "edits/"), body)

        assert (first[0], second[0], second[1]["revision"]) == (201, 201, 2)
        assert Edit.objects.count() == 1


class TestAsking:
    @pytest.fixture
    def asked(self, browser, action):
        status, approval, _ = browser.post(
            path(action, "questions/"), over(read(browser, action), question="Which customer asked?")
        )
        assert (status, approval["status"]) == (201, "sent_back")
        return approval

    def test_shows_the_agent_the_question_and_takes_its_answer(self, api, browser, action, asked):
        found = api.get(f"actions/{action['id']}/?wait=5")[1]
        assert (found["status"], found["approval"]["question"]) == ("sent_back", "Which customer asked?")

        status, approval, _ = api.post(path(action, "replies/"), {"reply": "Number 88213."})

        assert (status, approval["status"]) == (201, "pending")
        assert [(one["kind"], one["text"]) for one in approval["remarks"]][-1] == ("reply", "Number 88213.")
        assert api.get(f"actions/{action['id']}/")[1]["status"] == "held"
        assert browser.post(path(action, "decisions/"), voice(read(browser, action)))[0] == 201

    def test_holds_every_decision_back_until_it_is_answered(self, browser, action, asked):
        status, problem, _ = browser.post(path(action, "decisions/"), voice(asked))

        assert (status, problem["code"]) == (409, "stale")
        assert "question" in problem["detail"]

    def test_lets_the_agent_propose_anew_instead(self, api, action, asked):
        assert api.post(f"actions/{action['id']}/withdrawals/", {"reason": "wrong order"})[1]["status"] == "withdrawn"
        assert api.post("actions/", cancel_order("B2"))[0] == 201

    def test_is_not_answered_by_another_agent_or_without_the_scope(self, action, asked):
        neighbour, reader = Caller(make_token("other")), Caller(make_token(scopes=("executions:read",)))

        assert neighbour.post(path(action, "replies/"), {"reply": "me"})[0] == 404
        assert reader.post(path(action, "replies/"), {"reply": "me"})[1]["code"] == "missing_scope"

    def test_is_not_answered_by_a_reviewer_and_an_operator_who_answers_signs_no_more(
        self, browser, action, asked, world
    ):
        operator = signed_in(make_person("oscar", world, "view", "operate", "review"))

        assert browser.post(path(action, "replies/"), {"reply": "me"})[1]["code"] == "not_asked"
        assert operator.post(path(action, "replies/"), {"reply": "I asked them."})[0] == 201
        refused = operator.post(path(action, "decisions/"), voice(read(operator, action)))
        assert (refused[0], refused[1]["code"]) == (403, "own_request")

    def test_without_a_question_has_no_answer(self, api, action):
        assert api.post(path(action, "replies/"), {"reply": "So?"})[1]["code"] == "stale"

    def test_of_something_read_before_it_changed_is_refused(self, browser, action):
        body = over(read(browser, action), question="Why?") | {"digest": "0" * 64}

        assert browser.post(path(action, "questions/"), body)[1]["code"] == "changed_since_viewed"


class TestAnswering:
    def give(self, browser, action, result, **more):
        body = over(read(browser, action), result=result, reason_code="duplicate", **more)
        return browser.post(path(action, "results/"), body)

    def test_gives_the_agent_a_persons_result_and_carries_nothing_out(self, api, browser, action):
        status, approval, _ = self.give(browser, action, {"cancelled": True})
        found = api.get(f"actions/{action['id']}/")[1]

        assert (status, approval["status"]) == (201, "answered")
        assert (found["status"], found["result"], found["redeemed_at"]) == ("answered", {"cancelled": True}, None)
        assert found["approval"]["reason_code"] == "duplicate"
        refused = api.post(f"actions/{action['id']}/redemptions/")
        assert (refused[0], refused[1]["code"]) == (409, "action_answered")

    def test_is_checked_against_what_the_tool_promises(self, api, browser, action):
        row = Action.objects.get(pk=action["id"])
        from orchestrator.models import Tool

        schema = {"type": "object", "required": ["cancelled"], "properties": {"cancelled": {"type": "boolean"}}}
        Tool.objects.filter(name=row.tool).update(output_schema=schema)

        status, problem, _ = self.give(browser, action, {"cancelled": "yes"})

        assert (status, problem["errors"][0]["pointer"]) == (422, "/result/cancelled")
        assert Action.objects.get(pk=action["id"]).result is None

    def test_of_an_act_that_needs_two_people_is_refused(self, api, browser):
        action = api.post("actions/", {"tool": "orders.refund", "arguments": {"amount": "4.00"}})[1]
        approval = read(browser, action)
        body = over(approval, result={}, reason_code="duplicate",
                    viewed={"sections": approval["must_view"]})  # fmt: skip

        status, problem, _ = browser.post(path(action, "results/"), body)

        assert (status, problem["code"]) == (403, "needs_two")
        assert Action.objects.get(pk=action["id"]).status == "held"

    def test_twice_is_once_and_another_result_is_refused(self, browser, action):
        approval = read(browser, action)
        body = over(approval, result={"cancelled": True}, reason_code="duplicate")

        first, again = browser.post(path(action, "results/"), body), browser.post(path(action, "results/"), body)
        other = browser.post(path(action, "results/"), body | {"result": {}})

        assert (first[0], again[0], other[0]) == (201, 201, 409)


class TestTheSecondReviewer:
    @pytest.fixture
    def refund(self, api):
        return api.post("actions/", {"tool": "orders.refund", "arguments": {"amount": "4860.00", "iban": "DE12"}})[1]

    def sign(self, browser, action, **more):
        approval = read(browser, action)
        made = confirmed(ApprovalRequest.objects.get(pk=approval["id"]), person_of(browser.client))
        said = voice(approval, critical="4,860", confirmation=str(made.pk), **more)
        return browser.post(path(action, "decisions/"), said)

    def test_is_confirmed_with_the_code_of_an_app_good_for_one_decision(self, browser, refund, grace):
        app, approval = given_to(grace), read(browser, refund)
        assert approval["must_confirm"] is True
        said = voice(approval, critical="4860")
        before = browser.post(path(refund, "decisions/"), said)
        wrong = browser.post(path(refund, "confirmations/"), over(approval, code=app.wrong_code()))
        code = over(approval, code=app.code())

        made, again = (browser.post(path(refund, "confirmations/"), code) for _ in range(2))
        decided = browser.post(path(refund, "decisions/"), {**said, "confirmation": made[1]["id"]})

        assert [(one[0], one[1]["code"]) for one in (before, wrong, again)] == [
            (422, "not_confirmed"), (422, "not_confirmed"), (422, "used_before"),
        ]  # fmt: skip
        assert (made[0], made[1]["factor"], decided[0]) == (201, "totp", 201)
        assert decided[1]["decisions"][0]["factor"] == "totp"

    def test_is_not_confirmed_by_a_token(self, api, browser, refund):
        approval = read(browser, refund)

        assert api.post(path(refund, "confirmations/"), over(approval, code="123456"))[0] == 403

    def test_reads_no_verdict_name_or_note_until_their_own_is_recorded(self, browser, refund, world):
        linus = signed_in(make_person("linus", world, "view", "review"))
        self.sign(browser, refund, note="looks right")

        assert read(linus, refund)["decisions"] == []
        self.sign(linus, refund)
        assert [one["note"] for one in read(linus, refund)["decisions"]] == ["looks right", ""]

    def test_has_to_open_every_part_and_type_the_critical_value_here_too(self, browser, refund):
        approval = read(browser, refund)
        assert (approval["must_type"], approval["must_view"]) == ("amount", ["act", "change", "evidence", "policy"])

        unread = self.sign(browser, refund, viewed={"sections": ["act"]})
        untyped = browser.post(path(refund, "decisions/"), voice(approval))
        mistyped = browser.post(path(refund, "decisions/"), voice(approval, critical="486.00"))

        assert [one[1]["errors"][0]["code"] for one in (unread, untyped, mistyped)] == [
            "incomplete",
            "required",
            "differs",
        ]
        assert self.sign(browser, refund)[0] == 201

    def test_may_refuse_at_once(self, browser, refund):
        approval = read(browser, refund)
        made = confirmed(ApprovalRequest.objects.get(pk=approval["id"]), person_of(browser.client))
        body = over(approval, verdict="reject", reason_code="wrong_amount", confirmation=str(made.pk))

        assert browser.post(path(refund, "decisions/"), body)[0] == 201
        assert read(browser, refund)["status"] == "rejected"

    def test_hostile_reading_records_are_refused_not_crashed_on(self, browser, refund):
        for viewed in ({"sections": "act"}, {"view": ["x"]}, {"sections": [{}]}, {"sections": {"act": 1}}):
            assert self.sign(browser, refund, viewed=viewed)[0] in {409, 422}


class TestTheAgentThatStartedTheExecution:
    """Whose step calls the tool is another agent, whose act it is; it asked for all of it."""

    @pytest.fixture
    def asker(self, db):
        made.published()
        return Caller(tokens.issue("looker", "finance", list(tokens.SCOPES), 1)[0])

    @pytest.fixture
    def held(self, asker):
        run = asker.post("executions/", {"workflow": "closing", "input": {"month": "2026-10"}})[1]
        started = Execution.objects.get(pk=run["id"])
        made.at_second_step(started)
        return made.held_in(started)

    def test_reads_what_waits_and_answers_the_question_it_is_asked(self, asker, held):
        grace = made.person("grace", "view", "review")
        waiting = ApprovalRequest.objects.get(pk=held.approval_id)
        send_back(
            request_id=waiting.pk, by=made.actor(grace), digest=waiting.digest, revision=1, question="For which month?"
        )
        address = f"approvals/{held.approval_id}/"

        assert asker.get(f"actions/{held.pk}/")[1]["approval"]["question"] == "For which month?"
        assert asker.get(address)[0] == 200
        status, approval, _ = asker.post(f"{address}replies/", {"reply": "October."})
        assert (status, approval["status"]) == (201, "pending")

    def test_has_whole_evidence_of_it(self, asker, held):
        pack = asker.get(f"executions/{held.execution_id}/evidence/")[1]

        assert ([one["id"] for one in pack["approvals"]], pack["complete"]) == ([str(held.approval_id)], True)

    def test_carries_nothing_out_for_the_other(self, asker, held):
        for act, body in (("redemptions", {}), ("withdrawals", {"reason": "mine"}), ("undo", {"reason": "mine"})):
            assert asker.post(f"actions/{held.pk}/{act}/", body)[0] == 404
