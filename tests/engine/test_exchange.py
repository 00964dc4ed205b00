"""Edits, questions, a person's result and coded reasons, as a step of our own meets them."""

import json

import pytest

from approvals.models import ApprovalRequest
from approvals.operations import questions
from approvals.queries import review
from audit.actors import agent
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Forbidden
from orchestrator.engine.sweep import sweep
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.models import Attempt
from tests import signing
from tests import worlds as make
from tests.engine.driving import actions, approve, asked, drive, reject, step
from tests.engine.provider import tool

PAY = "  - pay: {tool: unsafe, with: {ref: R-1}}\n"


def waiting(governed, world):
    governed(PAY)
    execution = make.start(world, "outside")
    drive(execution)
    return execution


def edited(request, by, **arguments):
    return edit(
        request_id=request.pk, by=by, digest=request.digest, revision=request.revision, arguments=arguments, note="typo"
    )


class TestAnEditedCall:
    def test_is_sent_as_edited_and_the_step_goes_on_with_its_result(self, world, governed, provider):
        governed(PAY, tools=[tool("A", name="unsafe", tier="customer_facing")])
        execution = make.start(world, "outside")
        drive(execution)

        approve(edited(asked(execution), world.grace, ref="R-2"), world.linus)
        drive(execution)

        assert execution.status == "succeeded"
        assert provider.effects == ["R-2"]
        (action,) = actions(execution)
        assert (json.loads(action.arguments), json.loads(action.proposed)) == ({"ref": "R-2"}, {"ref": "R-1"})
        assert action.business_key == "R-2"

    def test_about_another_record_is_asked_again_beside_that_record_and_then_sent(self, world, governed, provider):
        execution = waiting(governed, world)
        approve(edited(asked(execution), world.grace, ref="R-2"), world.linus)

        drive(execution)
        assert provider.effects == []
        snapshot = json.loads(asked(execution).snapshot)
        assert (snapshot["arguments"], snapshot["record"]["ref"]) == ({"ref": "R-2"}, "R-2")

        shown = review(world.grace, asked(execution).pk, now=database_now())
        assert [(row.label, row.before, row.after) for row in shown.changed_since] == [("record / ref", "R-1", "R-2")]

        approve(asked(execution), world.grace)
        drive(execution)
        assert (execution.status, provider.effects) == ("succeeded", ["R-2"])

    def test_leaves_a_trail_of_digests_and_keeps_the_difference(self, world, governed, provider):
        execution = waiting(governed, world)
        before = asked(execution)

        request = edited(before, world.grace, ref="R-2")

        event = AuditEvent.objects.get(event="approval_request.edited")
        assert (event.actor_name, json.loads(event.data)["before"]) == ("grace", before.digest)
        assert AuditEvent.objects.filter(event="action.edited").count() == 1
        assert request.edits.get().changes[0] == {"label": "arguments / ref", "before": "R-1", "after": "R-2"}


class TestAStepWithAQuestion:
    def test_waits_through_question_and_answer_and_goes_on_after_the_signature(self, world, governed, provider):
        execution = waiting(governed, world)
        request = asked(execution)
        questions.send_back(
            request_id=request.pk, by=world.grace, digest=request.digest, revision=request.revision, question="Why?"
        )
        sweep()
        drive(execution)
        assert (execution.status, [one.status for one in actions(execution)]) == ("waiting", ["sent_back"])

        questions.reply(request_id=request.pk, by=world.ada, text="The invoice asks for it.")
        sweep()
        approve(ApprovalRequest.objects.get(pk=request.pk), world.grace)
        drive(execution)

        assert execution.status == "succeeded"
        assert provider.effects == ["R-1"]

    def test_is_answered_by_no_agent_of_the_unit_that_nobody_asked(self, world, governed, provider):
        request = asked(waiting(governed, world))
        questions.send_back(
            request_id=request.pk, by=world.grace, digest=request.digest, revision=request.revision, question="Why?"
        )
        stranger = agent("clerk2", unit_ids=frozenset({world.unit.pk}), scopes=frozenset())

        with pytest.raises(Forbidden, match="for whoever asked"):
            questions.reply(request_id=request.pk, by=stranger, text="It is fine.")

    def test_that_nobody_answers_ends_like_silence(self, world, governed, provider):
        execution = waiting(governed, world)
        request = asked(execution)
        questions.send_back(
            request_id=request.pk, by=world.grace, digest=request.digest, revision=request.revision, question="Why?"
        )
        ApprovalRequest.objects.filter(pk=request.pk).update(decide_by=request.created_at)

        sweep()
        drive(execution)

        assert ApprovalRequest.objects.get(pk=request.pk).status == "expired"
        assert (execution.status, provider.effects) == ("failed", [])


class TestAPersonsResult:
    def test_is_the_steps_output_and_nothing_is_sent(self, world, governed, provider):
        execution = waiting(governed, world)
        request = asked(execution)

        answer_instead(
            request_id=request.pk,
            by=world.grace,
            voice=signing.voice(request, "duplicate", by=world.grace),
            result={"ok": "by hand"},
        )
        drive(execution)

        assert execution.status == "succeeded"
        assert step(execution, "pay").output == {"ok": "by hand"}
        assert (provider.sends, [one.status for one in actions(execution)]) == ([], ["answered"])


class TestARejection:
    def test_leaves_its_code_in_the_evidence_of_the_attempt(self, world, governed, provider):
        execution = waiting(governed, world)

        reject(asked(execution), world.grace)
        drive(execution)

        attempt = Attempt.objects.get(step=step(execution, "pay"), status="failed")
        assert (attempt.evidence["reason_code"], attempt.evidence["rejected_by"]) == ("missing_evidence", "grace")
        assert "Evidence is missing" in step(execution, "pay").why
