"""Following an execution: which step opens, what its story says, what the auditor's questions are answered with."""

import json
import re
from decimal import Decimal
from html import unescape

import pytest
from django.urls import reverse

from approvals.models import ApprovalRequest
from audit.canonical import digest
from audit.queries import story
from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import begin
from orchestrator.engine.settle import settle_failure
from orchestrator.engine.sweep import sweep
from orchestrator.gate import propose, reconcile, redeem, report
from orchestrator.gate.edit import edit
from orchestrator.gate.reconcile import Finding
from orchestrator.models import Action, Alert, Attempt, Execution, Step
from orchestrator.operations import executions, unknown_outcomes
from orchestrator.operations.patches import current_input, patch
from orchestrator.queries import execution as execution_queries
from orchestrator.releases.bundle import publish
from tests import make, worlds


def page_of(browser, execution, **keys):
    return browser.get(execution.get_absolute_url(), keys).content.decode()


class TestSelectedStep:
    @pytest.mark.parametrize(
        ("status", "step"),
        [("queued", "look"), ("running", "post"), ("failed", "post"), ("dead_lettered", "post"), ("succeeded", "post")],
    )
    def test_is_the_one_that_matters_now(self, unit, as_ada, status, step):
        page = page_of(as_ada, make.execution(status))

        assert f'<h2 id="step-title">{step}</h2>' in page

    def test_is_the_one_in_the_address(self, unit, as_ada):
        assert '<h2 id="step-title">look</h2>' in page_of(as_ada, make.execution("failed"), step="look")


class TestTheLineOfStates:
    def test_says_a_state_in_the_words_of_its_badge(self, unit, as_ada):
        page = page_of(as_ada, make.execution("dead_lettered"))
        line = page.split('class="state-line"')[1].split("</ol>")[0]

        assert "Dead-lettered" in line
        assert 'data-tone="critical" aria-current="step"' in line


class TestStory:
    """The failure story of every ungoverned system, not happening."""

    @pytest.fixture
    def execution(self, unit, ada):
        make.tool(tier="informational")
        started = make.execution(by=ada, attempts=3)
        first = make.at_second_step(started)
        action = propose.propose(
            tool="erp.post_adjustment", arguments=make.arguments(reference="ADJ-77"), agent="poster",
            unit_id=unit.pk, by=make.MAKER,
            place=propose.Place(execution=Execution.objects.get(pk=started.pk), step_id=first.step_id, fence=first.fence,
                                step_key="post", occurrence=0),
        )  # fmt: skip
        redeem.redeem(action_id=action.pk, by=make.MAKER, fence=first.fence)
        why = "the ERP timed out after sending"
        report.report(action_id=action.pk, fence=first.fence, outcome="unknown", by=make.MAKER, message=why)
        settle_failure(first, Failure("unknown_outcome", why), input={"rows": 3})
        make.later("orchestrator_step", "due_at", first.step_id, 60)
        sweep()
        second = make.claimed(started)
        seen = Finding("partly", "1 of 2 lines written")
        reconcile.apply_finding(action_id=action.pk, by=make.MAKER, finding=seen, honours_key=True)
        redeem.redeem(action_id=action.pk, by=make.MAKER, fence=second.fence)
        report.report(
            action_id=action.pk, fence=second.fence, outcome="success", by=make.MAKER, result={"posting": "P-1"}
        )
        make.settle_success(second, input={"rows": 3}, output={"posted": 1})
        return Execution.objects.get(pk=started.pk)

    def test_is_told_step_by_step_in_order(self, execution, as_ada):
        page = page_of(as_ada, execution, step="post")

        told = [
            "Attempt 1 of post started",
            "Sent, and no answer came",
            "the ERP timed out after sending",
            "Attempt 1 of post failed: system error",
            "Retry of post scheduled, with the same idempotency key",
            "Attempt 2 of post started",
            "Looked up by business key ADJ-77",
            "1 of 2 lines written",
            "Cleared to be sent again under the same key",
            "Step post succeeded",
        ]
        story = page.split('id="step-story"')[1]
        places = [story.find(words) for words in told]
        assert -1 not in places
        assert places == sorted(places)

    def test_has_every_entry_in_the_events_tab(self, execution, as_ada):
        page = page_of(as_ada, execution, tab="events")

        assert all(words in page for words in ("Retry of post is due", "Step post: system error", "Proposed:"))

    def test_names_both_attempts_with_class_and_message(self, execution, as_ada):
        table = page_of(as_ada, execution, step="post").split('id="attempts"')[1]

        assert table.index("Unknown outcome") < table.index("Done")


class TestOutput:
    @pytest.mark.parametrize(
        ("status", "said"), [("running", "None yet."), ("failed", "None: it ended without a success.")]
    )
    def test_is_not_to_come_once_the_execution_is_over(self, unit, ada, as_ada, status, said):
        run = make.execution(status, by=ada)

        assert said in as_ada.get(f"{run.get_absolute_url()}?tab=io").content.decode()


class TestTheCallsOfAStep:
    def test_say_of_a_no_that_it_was_one(self, unit, grace, as_ada):
        waiting = make.execution("waiting")
        make.rejected(ApprovalRequest.objects.get(execution_id=waiting.pk), grace)

        table = page_of(as_ada, waiting, step="post").split('id="step-actions-table"')[1].split("</table>")[0]

        assert "grace: reject" in table
        assert "Signed by" not in table

    def test_are_counted_all_where_the_first_are_shown(self, unit, as_ada, monkeypatch):
        monkeypatch.setattr(execution_queries, "SHOWN_ACTIONS", 2)
        waiting = make.execution("waiting", calls=5)

        page = page_of(as_ada, waiting, step="post")

        assert 'Actions of this step <span class="count">5</span>' in page
        assert "3 more" in page


class TestTheHead:
    def test_writes_cost_and_tokens_without_a_stray_blank(self, unit, as_ada):
        run = make.execution("succeeded")
        charge(
            Usage(cost=Decimal("2.50"), currency="EUR", input_tokens=1_000), Place(unit_id=unit.pk, execution_id=run.pk)
        )

        words = " ".join(re.sub(r"<[^>]*>", "", page_of(as_ada, run)).split())

        assert "EUR 2.50 1,000 tokens" in words


class TestTheEvents:
    def test_say_in_their_head_where_they_are_not_all(self, unit, as_ada, monkeypatch):
        run = make.execution("waiting")
        assert "every audit entry" in page_of(as_ada, run, tab="events")

        monkeypatch.setitem(story.__kwdefaults__, "limit", 3)
        head = page_of(as_ada, run, tab="events").split('id="events"')[1].split("<ol")[0]

        assert "every audit entry" not in head
        assert '<span class="count">1,000+</span>' in head
        assert "The audit log has all of them." in head


class TestEvidence:
    def test_answers_the_six_questions(self, unit, grace, as_ada):
        waiting = make.execution("waiting")
        make.approved(ApprovalRequest.objects.get(execution_id=waiting.pk), grace)

        page = page_of(as_ada, waiting, tab="evidence")

        questions = ["Who asked for it?", "Which version ran?", "What data did it use?", "Which policy checks passed"]
        assert all(question in page for question in questions)
        assert waiting.execution_hash in page
        assert "grace: approve" in page
        assert "Cannot be undone: no compensating tool" in page
        assert "&#x27;" not in unescape(page)  # once escaped, not twice

    def checks(self, browser, execution):
        page = page_of(browser, execution, tab="evidence")
        return " ".join(page.split('id="checks-table"')[1].split("</table>")[0].split())

    def test_names_who_let_a_step_go_on(self, grace, as_ada, tmp_path):
        make.agent("looker")
        text = "workflow: asking\nversion: 1.0.0\nsteps:\n"
        text += "  - ask: {required: 1, ask: Shall it go on?}\n  - look: {agent: looker}\n"
        publish(make.folder(tmp_path / "asking", text), by=make.MAKER)
        execution = executions.start(workflow="asking", input={}, unit="finance", by=make.MAKER)
        worlds.work()
        assert "waits for people" in self.checks(as_ada, execution)

        make.approved(ApprovalRequest.objects.get(execution_id=execution.pk), grace)

        told = self.checks(as_ada, execution)
        assert "Shall it go on?" in told
        assert "grace: approve" in told
        assert f"user:{grace.pk}" in told

    def test_says_where_nobody_signed_and_where_nobody_was_asked(self, unit, ada, as_ada):
        waiting = make.execution("waiting", by=ada)
        executions.cancel(execution_id=waiting.pk, by=make.actor(ada), why="started by mistake")
        assert '<div class="muted">nobody</div>' in self.checks(as_ada, waiting)

        denied = make.execution(by=ada)
        make.at_second_step(denied)
        make.held_in(denied, account=5)

        assert "nobody was asked" in self.checks(as_ada, denied)

    def test_tells_whose_signature_counts_no_more(self, unit, grace, linus, ada, as_ada):
        make.policy(condition="true")
        waiting = make.execution("waiting", by=ada)
        request = make.approved(ApprovalRequest.objects.get(execution_id=waiting.pk), grace)
        given = json.loads(Action.objects.get(execution_id=waiting.pk).arguments)
        edit(request_id=request.pk, by=make.actor(linus), digest=request.digest, revision=request.revision,
             arguments={**given, "amount": "9.00"}, note="Less")  # fmt: skip

        executions.cancel(execution_id=waiting.pk, by=make.actor(ada), why="started by mistake")

        assert "of an earlier version, it counts no more" in self.checks(as_ada, waiting)

    def test_names_who_edited_what_was_proposed(self, unit, grace, linus, ada, as_ada):
        make.policy(condition="true")
        waiting = make.execution("waiting", by=ada)
        request = ApprovalRequest.objects.get(execution_id=waiting.pk)
        given = json.loads(Action.objects.get(execution_id=waiting.pk).arguments)
        edited = edit(request_id=request.pk, by=make.actor(linus), digest=request.digest, revision=request.revision,
                      arguments={**given, "amount": "9.00"}, note="As invoiced")  # fmt: skip
        assert "edited it" in self.checks(as_ada, waiting)

        make.approved(edited, grace, linus)

        told = self.checks(as_ada, waiting)
        assert f'linus <code class="muted">user:{linus.pk}</code> edited it' in told
        assert "As invoiced" in told
        assert f"arguments / amount <del>{given['amount']}</del> <ins>9.00</ins>" in told
        (pack,) = as_ada.get(f"/api/v1/executions/{waiting.pk}/evidence/").json()["approvals"]
        assert [one["person"] for one in pack["edits"]] == [f"user:{linus.pk}"]

    def test_names_who_changed_what_a_step_was_given(self, unit, ada, as_ada):
        letter = make.letter(by=ada)
        before = current_input(letter.step)
        after = {**before, "month": "2026-11"}
        patch(letter_id=letter.pk, by=make.actor(ada), before_digest=digest(before), after=after, why="The wrong month")

        data = page_of(as_ada, letter.execution, tab="evidence").split('id="data"')[1]

        assert "changed the input of post" in data
        assert "The wrong month" in data
        (told,) = as_ada.get(f"/api/v1/executions/{letter.execution_id}/evidence/").json()["patches"]
        assert (told["step"], told["before"], told["after"], told["why"]) == ("post", before, after, "The wrong month")
        assert told["person"] == f"user:{ada.pk}"

    def test_names_who_found_out_what_became_of_a_call_nobody_answered_for(self, unit, grace, ada, as_ada):
        execution = make.execution("running")
        call = make.held_in(execution)
        make.approved(ApprovalRequest.objects.get(pk=call.approval_id), grace)
        ticket = redeem.redeem(action_id=call.pk, by=make.MAKER, fence=Step.objects.get(pk=call.step_id).attempt_id)
        report.report(
            action_id=call.pk, fence=ticket.fence, outcome="unknown", by=make.MAKER, message="The line went dead."
        )
        result = {"posting": "P-7", "status": "complete"}
        said = unknown_outcomes.Said(verdict="happened", code="document", note="Statement of 3 November", result=result)
        unknown_outcomes.answer(action_id=call.pk, said=said, by=make.actor(ada))

        pages = [
            self.checks(as_ada, execution),
            as_ada.get(call.get_absolute_url()).content.decode().split('id="facts"')[1],
        ]

        assert all("Statement of 3 November" in page and f"user:{ada.pk}" in page for page in pages)
        assert "found: It happened. A document shows it" in pages[0]
        assert "What a person found out to be the result" in as_ada.get(call.get_absolute_url()).content.decode()
        (told,) = as_ada.get(f"/api/v1/executions/{execution.pk}/evidence/").json()["found"]
        assert (told["action"], told["person"], told["verdict"]) == (str(call.pk), f"user:{ada.pk}", "happened")
        assert (told["code"], told["note"], told["result"]) == ("document", said.note, result)


class TestWaiting:
    def test_leads_to_the_request_that_holds_it(self, unit, as_ada):
        waiting = make.execution("waiting")
        request = ApprovalRequest.objects.get(execution_id=waiting.pk)

        assert request.get_absolute_url() in page_of(as_ada, waiting)


class TestCancel:
    def test_says_what_it_does_in_numbers_and_then_does_it(self, unit, as_ada):
        waiting = make.execution("waiting")
        address = reverse("execution_cancellations", args=[waiting.pk])

        asked = as_ada.get(address).content.decode()
        done = as_ada.post(address, {"reason": "wrong month"})

        assert "1 waiting or granted action will be withdrawn" in asked
        assert done["Location"] == waiting.get_absolute_url()
        assert Execution.objects.get(pk=waiting.pk).status == "cancelled"
        assert "wrong month" in page_of(as_ada, waiting, tab="events")

    def test_needs_a_reason(self, unit, as_ada):
        waiting = make.execution("waiting")

        assert as_ada.post(reverse("execution_cancellations", args=[waiting.pk]), {"reason": " "}).status_code == 422
        assert Execution.objects.get(pk=waiting.pk).status == "waiting"

    def test_of_what_is_over_is_refused(self, unit, as_ada):
        over = make.execution("succeeded")

        assert as_ada.post(reverse("execution_cancellations", args=[over.pk]), {"reason": "x"}).status_code == 409


class TestList:
    @pytest.fixture(autouse=True)
    def executions(self, unit, ada):
        make.execution("failed", business_key="BAD", by=ada)
        make.execution("waiting", business_key="HELD", by=ada)
        make.execution("succeeded", business_key="GOOD", by=ada)

    @pytest.mark.parametrize(
        ("keys", "shown"),
        [
            ({}, {"BAD", "HELD", "GOOD"}),
            ({"state": "failed"}, {"BAD"}),
            ({"workflow": "closing", "since": "1"}, {"BAD", "HELD", "GOOD"}),
            ({"q": "HELD"}, {"HELD"}),
            ({"q": "no such"}, set()),
        ],
    )
    def test_is_narrowed_by_the_address(self, as_ada, keys, shown):
        page = as_ada.get(reverse("executions"), keys).content.decode().split("execution-list")[-1]

        assert {key for key in ("BAD", "HELD", "GOOD") if f">{key}<" in page} == shown

    def test_says_how_far_each_is_and_what_it_waits_for(self, as_ada):
        page = as_ada.get(reverse("executions"), {"q": "HELD"}).content.decode()

        assert ">1/2<" in page
        assert "<td>people</td>" in page

    def test_counts_what_succeeded_and_sets_apart_what_was_skipped(self, ada, as_ada):
        started = make.execution(business_key="EARLY", by=ada)
        settle_failure(make.claimed(started), Failure("business", "No rows.", {}), input={"month": "2026-10"})

        page = as_ada.get(reverse("executions"), {"q": "EARLY"}).content.decode()

        assert '>0/2 <span class="muted">1 skipped</span><' in page
        assert "0 of 2 steps" in page_of(as_ada, started)

    def test_names_a_state_alike_in_its_line_and_in_its_badge(self, unit, as_ada):
        page = page_of(as_ada, make.execution("dead_lettered"))

        assert "<span>Dead-lettered</span>" in page
        assert "Dead lettered" not in page


class TestWork:
    def test_lists_what_one_started_and_what_is_stuck(self, unit, ada, as_ada):
        letter = make.dead_letter(by=ada, business_key="MINE")

        page = as_ada.get(reverse("work")).content.decode()

        assert "MINE" in page
        assert letter.get_absolute_url() in page


class TestGo:
    def test_leads_from_the_end_of_an_id_straight_to_the_thing(self, unit, as_ada):
        execution = make.execution()

        for text in (str(execution.pk), f"EXE-{execution.pk.hex[-8:]}", execution.pk.hex[-8:]):
            assert as_ada.get(reverse("go"), {"q": text})["Location"] == execution.get_absolute_url()

    def test_offers_what_words_may_mean(self, unit, as_ada):
        make.request(reference="AB-1")
        make.request(reference="AB-2")

        assert "for AB-1" in as_ada.get(reverse("go"), {"q": "AB-"}).content.decode()

    def test_says_when_there_is_nothing(self, unit, as_ada):
        assert "Nothing found" in as_ada.get(reverse("go"), {"q": "%\0'"}).content.decode()


class TestAlerts:
    def test_stand_on_the_first_page_and_lead_to_the_step(self, unit, as_ada):
        execution = make.execution("running")
        claim = Attempt.objects.get(step__execution=execution, status="running")
        settle_failure(begin(claim.pk), Failure("timeout", "no answer in 2 s"), input={})
        judge_all()

        page = as_ada.get("/").content.decode()

        assert "no answer in 2 s" in page
        alert = Alert.objects.get()
        assert alert.get_absolute_url() in page
        assert f"{execution.get_absolute_url()}?step=post" in as_ada.get(alert.get_absolute_url()).content.decode()


class TestTheNameOfItsTab:
    """Ten of one workflow are open side by side while somebody looks for what they have in common."""

    def test_is_its_own(self, ada, as_ada):
        runs = [make.execution("running", by=ada) for _ in range(2)]
        letters = [make.letter(by=ada) for _ in range(2)]
        pages = [
            *(run.get_absolute_url() for run in runs),
            *(reverse("trace", args=[run.trace_id]) for run in runs),
            *(letter.get_absolute_url() for letter in letters),
        ]

        titles = [re.search("<title>(.*?)</title>", as_ada.get(page).content.decode(), re.DOTALL)[1] for page in pages]

        assert len(set(titles)) == len(pages)


class TestABusinessError:
    def test_is_said_once_in_the_head_of_its_step(self, unit, as_ada):
        page = page_of(as_ada, make.execution("failed"))

        head = page.split('id="step-title"')[1].split("<dl")[0]
        assert head.count("Business error") == 1
