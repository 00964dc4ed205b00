"""A doubt stays a doubt: whatever was sent and never answered is neither forgotten, nor called nothing, nor stood in for.

One reply that is dropped, and then 503s: the normal shape of an outage.
"""

import pytest

from audit.canonical import digest
from audit.definitions import activate, draft
from audit.refusals import Refusal, Stale
from orchestrator.engine.runners.workshop import close_pool
from orchestrator.gate import limits
from orchestrator.models import Limit
from orchestrator.operations import dead_letters, executions, patches
from orchestrator.operations.by_hand import hand_in
from orchestrator.operations.patches import NotPatchable, current_input
from orchestrator.operations.undo_plan import plan_of
from orchestrator.queries.unknown_outcomes import doubts_of
from orchestrator.releases.undoing import undo_execution
from tests import signing
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import _run, actions, approve, asked, drive, hold, lapse, statuses
from tests.engine.test_unknown_outcomes import say

HANDLERS = (
    providers.HANDLERS
    + """

def strays(arguments, context):
    if context.attempt > 1:
        return context.http_json("POST", "http://203.0.113.9/effects", arguments, timeout=1)
    return send(arguments, context)
"""
).replace("timeout=1)", "timeout=30)")
ONE = "  - send: {tool: send_a, ref: R-1, retry: {max_attempts: %d, backoff: 1s}}\n"
TWO_WAYS = """
  - pay: {tool: send_a, ref: by-wire, on_error: pay2, retry: {max_attempts: 3, backoff: 1s}}
  - pay2: {tool: send_b, ref: by-cheque}
"""
ROUTED = "  - send: {tool: send_c, ref: R-1, on_error: route_to_human, retry: {max_attempts: 1}}\n"


@pytest.fixture
def rested(world, governed, provider):
    """An execution that was driven until it rests, the provider doing these deeds in turn."""

    def rested(steps, *deeds, **more):
        back = providers.tool("A", name="take_back", entry="handlers:take_back")
        tools = [back, providers.tool("A", compensate_with="take_back", **more), *providers.TOOLS[1:]]
        governed(steps, HANDLERS, tools=tools)
        provider.plan(*deeds)
        execution = executions.start(workflow="outside", input={}, unit=world.unit.name, by=world.ada)
        drive(execution)
        return execution

    return rested


def found_missing(execution, by):
    say(execution, by, "did_not")
    drive(execution)


def in_the_plan(execution):
    return [effect.action.status for effect in plan_of(execution).effects]


class TestASendThatWasNeverAnswered:
    def test_is_unknown_still_when_the_next_one_did_nothing(self, world, rested, provider):
        execution = rested(ONE % 3, "drop", "down", "down")

        assert (statuses(execution), actions(execution)[0].status) == ({"send": "dead_letter"}, "unknown")
        executions.cancel(execution_id=execution.pk, by=world.ada, why="no longer wanted")
        assert (provider.effects, in_the_plan(execution)) == (["R-1"], ["unknown"])

    def test_is_known_as_soon_as_the_other_side_answers_for_its_key(self, world, rested, provider):
        execution = rested(ONE % 3, "drop", "down", "ok")

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])
        assert not actions(execution)[0].in_doubt

    def test_is_unknown_still_when_it_is_cancelled_before_the_next_one(self, world, rested, provider, looks_at_once):
        row = Limit(name="erp", breaks_after=1, tool="send_a")
        draft(row, by=make.SETUP)
        activate(row, by=make.SETUP)
        limits.anything_is_limited.again()
        execution = rested(ONE % 3, "drop")
        assert (statuses(execution), actions(execution)[0].status) == ({"send": "throttled"}, "granted")

        executions.cancel(execution_id=execution.pk, by=world.ada, why="the ERP is down")

        assert (provider.effects, in_the_plan(execution)) == (["R-1"], ["unknown"])

    def test_is_no_call_that_gets_another_input(self, world, rested):
        letter = rested(ONE % 2, "drop", "down").dead_letters.get()
        before = current_input(letter.step)

        with pytest.raises(NotPatchable, match="no answer came"):
            patches.patch(
                letter_id=letter.pk,
                by=world.ada,
                before_digest=digest(before),
                after={**before, "ref": "R-2"},
                why="typo",
            )

    def test_is_asked_about_before_people_sign_again(self, world, rested, provider):
        execution = rested(ONE % 3, tier="customer_facing")
        approve(asked(execution), world.grace)
        provider.plan("drop")
        make.work()
        _run("UPDATE approvals_approvalrequest SET use_by = clock_timestamp() - interval '1 second'")
        drive(execution)
        assert (statuses(execution), actions(execution)[0].status) == ({"send": "unknown_outcome"}, "unknown")

        say(execution, world.ada, "happened", result={"ref": "R-1"})
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])

    def test_and_did_not_happen_is_asked_for_anew(self, world, rested, provider):
        execution = rested(ONE % 3, tier="customer_facing")
        approve(asked(execution), world.grace)
        provider.plan("vanish")
        make.work()
        _run("UPDATE approvals_approvalrequest SET use_by = clock_timestamp() - interval '1 second'")
        drive(execution)

        found_missing(execution, world.ada)
        approve(asked(execution), world.grace)
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])
        assert [action.status for action in actions(execution)] == ["void", "succeeded"]

    def test_is_unknown_still_when_the_next_one_was_kept_from_a_stranger(self, world, governed, provider):
        listed = [provider.url.removeprefix("http://")]
        straying = providers.tool("A", entry="handlers:strays", egress=listed, probe=None)
        governed(TWO_WAYS, HANDLERS, tools=[straying, *providers.TOOLS[1:]])
        provider.plan("drop")
        execution = make.start(world, "outside")
        make.work()
        close_pool()  # The next send is another worker's, whose child has reached nobody yet.
        drive(execution)

        assert (statuses(execution), provider.effects) == ({"pay": "unknown_outcome", "pay2": "pending"}, ["by-wire"])
        assert actions(execution)[0].in_doubt

    def test_is_not_granted_again_where_another_branch_has_failed_for_good(self, world, rested):
        steps = "  - send: {tool: send_b, ref: R-1, retry: {max_attempts: 1}}\n  - other: {tool: send_a, ref: R-2, needs: []}\n"
        execution = rested(steps, "vanish", "refuse")
        assert (execution.status, statuses(execution)["send"]) == ("failed", "dead_letter")
        (row,) = doubts_of([actions(execution)[0]])
        assert "nothing is sent again" in row.following

        say(execution, world.ada, "did_not")

        assert actions(execution)[0].status == "failed"


class TestAnUndoThatWasNeverAnswered:
    def test_is_not_sent_under_another_key(self, world, rested, provider):
        execution = rested(ONE % 1)
        provider.plan("drop", "down", "down", "down", "down")
        run = undo_execution(execution_id=execution.pk, by=world.ada, why="posted to the wrong month")
        drive(run)
        dead_letters.discard(letter_id=run.dead_letters.get().pk, by=world.ada, code="not_needed")

        with pytest.raises(Refusal):
            drive(undo_execution(execution_id=execution.pk, by=world.ada, why="posted to the wrong month"))

        assert provider.effects == ["R-1", "-R-1"]


class TestWhatStandsInForAFailure:
    """Nobody and nothing, while the first call may have happened."""

    def test_is_no_fallback(self, rested, provider):
        execution = rested(TWO_WAYS, "drop", "fault", "fault")

        assert statuses(execution) == {"pay": "unknown_outcome", "pay2": "pending"}
        assert provider.effects == ["by-wire"]

    def test_is_the_fallback_once_a_person_says_that_it_did_not_happen(self, world, rested, provider):
        execution = rested(TWO_WAYS, "vanish", "down", "down", "down")
        assert statuses(execution) == {"pay": "unknown_outcome", "pay2": "pending"}

        found_missing(execution, world.ada)

        assert (execution.status, provider.effects) == ("succeeded", ["by-cheque"])

    def test_is_no_person_at_work_beside_a_machine_that_sends(self, world, rested, provider):
        execution = rested(ROUTED, "vanish")
        assert statuses(execution) == {"send": "unknown_outcome"}

        provider.plan("down")
        found_missing(execution, world.ada)
        request = asked(execution)
        hand_in(
            request_id=request.pk,
            by=world.grace,
            voice=signing.voice(request, by=world.grace),
            result={"ref": "by hand"},
        )
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", [])

    def test_is_asked_for_once_however_often_it_fails(self, world, rested, provider):
        execution = rested(ROUTED, "vanish", "refuse")

        found_missing(execution, world.ada)

        assert statuses(execution) == {"send": "awaiting_approval"}
        with pytest.raises(Stale):
            found_missing(execution, world.ada)

    def test_leaves_no_question_open_once_it_did_the_work(self, world, governed, provider):
        steps = TWO_WAYS.replace("send_a", "unsafe").replace("max_attempts: 3", "max_attempts: 1")
        governed(steps.replace("- pay:", "- send:"))
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "unsafe")
        lapse(segment.fence)

        drive(execution)

        action.refresh_from_db()
        assert (execution.status, provider.effects, action.status) == ("succeeded", ["by-cheque"], "withdrawn")


class TestAPersonWhoDoesNotCome:
    def test_loses_nothing_that_trying_again_may_mend(self, world, rested, provider):
        execution = rested(
            "  - send: {tool: send_a, ref: R-1, on_error: route_to_human, retry: {max_attempts: 1}}\n", "down"
        )
        assert statuses(execution) == {"send": "awaiting_approval"}
        _run("UPDATE approvals_approvalrequest SET decide_by = clock_timestamp() - interval '1 second'")
        drive(execution)
        assert execution.status == "dead_lettered"

        dead_letters.requeue(letter_id=execution.dead_letters.get().pk, by=world.ada)
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])
        assert execution.dead_letters.get().status == "fixed"

    def test_leaves_what_cannot_be_mended_a_business_error(self, rested):
        execution = rested("  - send: {tool: send_a, ref: R-1, on_error: route_to_human}\n", "refuse")
        _run("UPDATE approvals_approvalrequest SET decide_by = clock_timestamp() - interval '1 second'")
        drive(execution)

        assert (execution.status, execution.dead_letters.count()) == ("failed", 0)
