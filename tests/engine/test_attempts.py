"""An attempt is counted when it is claimed, and a claim that is over changes nothing."""

import uuid

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from audit.actors import agent
from audit.refusals import Stale
from orchestrator.engine.calls import call
from orchestrator.engine.claims import claim_due, renew
from orchestrator.engine.parking import settle_parked
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import begin
from orchestrator.engine.settle import settle_failure, settle_lost, settle_success
from orchestrator.engine.sweep import sweep
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.models import Action, Attempt, Step
from orchestrator.operations import executions
from orchestrator.operations.by_hand import hand_in
from tests import signing, trail
from tests import worlds as make
from tests.engine.driving import (
    actions,
    approve,
    asked,
    attempts,
    claim,
    die_after_sending,
    drive,
    hold,
    lapse,
    statuses,
    timers_come_due,
)
from tests.engine.provider import TOOLS, tool

POISON = """
import os, time


def look(arguments, context):
    os._exit(7)


def pay(arguments, context):
    return {}


def work(input, context):
    deed = input.get("deed", "die")
    if deed == "die":
        print("about to die")
        os._exit(9)
    if deed == "tell too much":
        return {"text": "x" * 2_000_000}
    time.sleep(30)
"""
ANY = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
        "input_schema": {"type": "object", "properties": {"deed": {}}}}]  # fmt: skip


def poisoned(world, publish, attempts, step="agent: clerk", **input):
    retry = f"retry: {{max_attempts: {attempts}, backoff: 1s}}"
    publish(f"workflow: poison\nversion: 1.0.0\nsteps:\n  - run: {{{step}, {retry}}}\n", POISON, agents=ANY)
    return make.start(world, "poison", **input)


class TestAPoisonStep:
    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_that_kills_its_worker_is_claimed_max_attempts_times_and_no_more(self, world, publish, limit):
        execution = poisoned(world, publish, limit)

        for _ in range(20):
            for claimed in claim_due(limit=1, worker="doomed"):
                begin(claimed.fence)  # it has started, and then nothing more is heard of it
                lapse(claimed.fence)
            drive_timers_only()

        execution.refresh_from_db()
        assert attempts(execution, "run") == [("lost", "lost")] * limit
        assert execution.status == "dead_lettered"
        assert execution.dead_letters.get().attempts == limit

    def test_that_kills_its_runner_is_tried_max_attempts_times_and_leaves_evidence(self, world, publish):
        execution = poisoned(world, publish, 3)

        drive(execution)

        assert attempts(execution, "run") == [("failed", "lost")] * 3
        letter = execution.dead_letters.get()
        assert "exit code 9" in letter.message
        assert letter.evidence["logs"] == "about to die\n"

    def test_that_kills_its_runner_inside_a_read_is_tried_max_attempts_times(self, world, publish):
        execution = poisoned(world, publish, 2, step="tool: look")

        drive(execution)

        assert attempts(execution, "run") == [("failed", "lost")] * 2
        assert "exit code 7" in execution.dead_letters.get().message

    def test_whose_result_is_too_large_is_a_bug_and_is_not_tried_again(self, world, publish):
        execution = poisoned(world, publish, 3, deed="tell too much")

        drive(execution)

        assert attempts(execution, "run") == [("failed", "bug")]
        assert "1000000" in execution.dead_letters.get().message.replace(",", "")


def drive_timers_only():
    """Everything that waits for time, and nothing that takes a worker."""
    while sweep() or timers_come_due():
        pass


class TestALease:
    def test_is_given_to_one_of_two_who_ask(self, world, publish):
        publish(make.PAY_WORKFLOW)
        make.start(world, "paying", amount=1)

        assert len(claim_due(limit=5, worker="one")) == 1
        assert claim_due(limit=5, worker="two") == []

    def test_that_ran_out_before_the_work_began_does_not_count_as_a_try(self, world, publish):
        publish(make.PAY_WORKFLOW)
        execution = make.start(world, "paying", amount=1)
        lapse(claim().fence)

        sweep()

        assert attempts(execution, "pay") == [("released", "")]
        step = execution.steps.get()
        assert (step.status, step.tries, step.attempt_count) == ("pending", 0, 1)

    def test_that_ran_out_sends_and_proposes_nothing_though_nobody_has_noticed_yet(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        segment, action = hold(world, make.start(world, "outside"), "send_a")
        lapse(segment.fence)

        with pytest.raises(Stale, match="no longer holds the step's lease"):
            redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        with pytest.raises(Stale, match="no longer holds the step's lease"):
            call(segment, tool="send_a", arguments={"ref": "R-2"}, occurrence=1)

    def test_that_a_cancellation_ended_proposes_nothing_in_the_time_it_had_left(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        segment, _ = hold(world, execution, "send_a")
        executions.cancel(execution_id=execution.pk, by=world.ada, why="started by mistake")

        with pytest.raises(Stale, match="no longer holds the step's lease"):
            call(segment, tool="send_a", arguments={"ref": "R-2"}, occurrence=1)

    def test_that_was_renewed_since_it_was_found_run_out_is_not_lost(self, world, publish):
        publish(make.PAY_WORKFLOW)
        execution = make.start(world, "paying", amount=1)
        fence = claim().fence
        begin(fence)

        assert not settle_lost(fence, why="The lease ran out.")
        assert attempts(execution, "pay") == [("running", "")]

    def test_delivered_twice_is_run_once(self, world, publish):
        publish(make.PAY_WORKFLOW)
        execution = make.start(world, "paying", amount=1)
        fence = claim().fence

        make.run(fence)
        make.run(fence)

        assert [status for status, _ in attempts(execution, "pay")] == ["parked"]
        assert len(actions(execution)) == 1


class TestALostDatabase:
    def test_gives_back_the_claim_whose_work_had_not_begun(self, world, publish):
        publish(make.PAY_WORKFLOW)
        execution = make.start(world, "paying", amount=1)
        fence = claim().fence
        connection.connection.close()  # as a restart of the server does

        make.run(fence)

        assert attempts(execution, "pay") == [("released", "")]
        drive(execution)
        assert execution.status == "waiting"

    def test_leaves_what_had_begun_to_its_lease(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        take = provider.take

        def take_while_the_server_restarts(key, body):
            main.close()
            return take(key, body)

        main = connection.connection
        provider.take = take_while_the_server_restarts
        make.run(claim().fence)
        provider.take = take

        assert attempts(execution, "send") == [("running", "")]
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}
        lapse(execution.steps.get().attempt_id)
        drive(execution)
        assert execution.status == "succeeded"
        assert len(provider.sends) == 1


class TestAnOldFence:
    """The holder was stopped beyond its lease, somebody else has the step, and now it comes back."""

    @pytest.fixture
    def late(self, world, governed, provider):
        """A segment and its granted action; the step has meanwhile been claimed again."""
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "send_a")
        lapse(segment.fence)
        drive_timers_only()
        assert claim().fence != segment.fence
        self.before = self.rows(execution)
        self.execution = execution
        yield segment, action
        assert self.rows(execution) == self.before

    def rows(self, execution):
        """Every row of the execution as it stands, and how many events tell of it."""
        models = (Step.objects.filter(execution=execution), Attempt.objects.filter(execution_id=execution.pk),
                  Action.objects.filter(execution_id=execution.pk))  # fmt: skip
        return [list(rows.order_by("pk").values()) for rows in models], trail.story(execution.pk)

    def test_cannot_settle_a_success(self, late):
        with pytest.raises(Stale):
            settle_success(late[0], input={}, output={"ref": "late"})

    def test_cannot_settle_a_failure(self, late):
        with pytest.raises(Stale):
            settle_failure(late[0], Failure("business", "late"))

    def test_cannot_park(self, late):
        with pytest.raises(Stale):
            settle_parked(late[0], to="awaiting_approval", why="late", input={})

    def test_cannot_renew(self, late):
        assert renew([late[0].fence]) == 0

    def test_cannot_begin(self, late):
        assert begin(late[0].fence) is None

    def test_cannot_redeem(self, late):
        with pytest.raises(Stale):
            redeem(action_id=late[1].pk, by=make.SETUP, fence=late[0].fence)

    def test_of_nobody_cannot_redeem(self, late):
        with pytest.raises(Stale):
            redeem(action_id=late[1].pk, by=make.SETUP, fence=uuid.uuid4())
        with pytest.raises(Stale):
            redeem(action_id=late[1].pk, by=make.SETUP)


class TestAWorkerBackFromTheDead:
    """It was stopped in the middle of a call. What it has read by then is not what stands now."""

    @pytest.fixture(params=["send_a", "send_b", "send_c"])
    def tool(self, request):
        return request.param

    @pytest.fixture
    def execution(self, world, governed, tool):
        governed(f"  - send: {{tool: {tool}, ref: R-1}}\n")
        return make.start(world, "outside")

    def call(self, segment, tool):
        return call(segment, tool=tool, arguments={"ref": "R-1"}, occurrence=0)

    def test_does_not_doubt_what_its_successor_has_under_way(self, world, execution, provider, tool):
        """A look at the other side's books would find nothing yet, and the same thing would be sent a second time."""
        late, action = hold(world, execution, tool)
        lapse(late.fence)
        drive_timers_only()
        successor = begin(claim().fence)
        redeem(action_id=action.pk, by=make.SETUP, fence=successor.fence)

        with pytest.raises(Stale):
            self.call(late, tool)

        (under_way,) = actions(execution)
        assert (under_way.status, under_way.fence) == ("redeemed", successor.fence)

    def test_proposes_nothing(self, execution, provider, tool):
        """Or its successor, which looked a moment before, would find its own proposal made by somebody else."""
        late = begin(claim().fence)
        lapse(late.fence)
        drive_timers_only()
        successor = begin(claim().fence)

        with pytest.raises(Stale):
            self.call(late, tool)
        assert actions(execution) == []

        assert self.call(successor, tool).value == {"ref": "R-1"}


class TestAReport:
    def test_under_an_old_fence_changes_nothing(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        execution = make.start(world, "outside")
        die_after_sending(world, execution, "send_a")
        old = actions(execution)[0].fence
        drive(execution)
        assert execution.status == "succeeded"
        before = Action.objects.values().get()

        with pytest.raises(Stale):
            report(action_id=before["id"], fence=old, outcome="system_error", by=make.SETUP, message="late")

        assert Action.objects.values().get() == before

    def test_of_a_step_s_call_comes_from_its_worker_and_from_no_agent_outside(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1}\n")
        segment, action = hold(world, make.start(world, "outside"), "send_a")
        redeem(action_id=action.pk, by=make.SETUP, fence=segment.fence)
        outside = agent(action.agent, unit_ids=frozenset({world.unit.pk}), scopes=frozenset())

        with pytest.raises(Stale, match="its worker reports it"):
            report(action_id=action.pk, fence=segment.fence, outcome="success", by=outside)
        assert Action.objects.get(pk=action.pk).status == "redeemed"


class TestALongStep:
    def test_keeps_its_lease_by_its_heartbeat(self, world, governed, provider, settings):
        settings.LEASE_SECONDS = 0.3
        governed("  - send: {tool: fetch, ref: R-1, timeout: 5s}\n")
        execution = make.start(world, "outside")
        provider.plan("slow")

        make.work()
        sweep()

        execution.refresh_from_db()
        assert statuses(execution) == {"send": "success"}
        assert attempts(execution, "send") == [("succeeded", "")]


class TestACallThatWasNeverSent:
    """Its attempt failed in between, and the execution went on without it."""

    @pytest.fixture(params=["send_a", "sign"])
    def unsent(self, request, world, governed, provider):
        sign = tool("A", name="sign", tier="customer_facing")
        governed(f"  - send: {{tool: {request.param}, ref: R-1}}\n", tools=[*TOOLS, sign])
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, request.param)
        if action.status == "held":
            approve(asked(execution), world.grace)
        settle_failure(segment, Failure("policy", "it reached for a stranger"))
        return execution

    def test_is_taken_back_with_its_approval(self, world, unsent):
        drive(unsent)

        assert (unsent.status, actions(unsent)[0].status) == ("failed", "withdrawn")
        assert not ApprovalRequest.objects.exclude(status="withdrawn").exists()
        assert sweep() == 0

    def test_is_signed_by_nobody_any_more_once_a_person_did_its_step(self, world, governed, provider):
        steps = "  - send: {tool: sign, ref: R-1, on_error: route_to_human, retry: {max_attempts: 1}}\n"
        governed(
            f"{steps}  - ask: {{human_if: ['true']}}\n", tools=[*TOOLS, tool("A", name="sign", tier="customer_facing")]
        )
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "sign")
        lapse(segment.fence)
        drive(execution)

        by_hand = ApprovalRequest.objects.get(subject_id=segment.step_id)
        hand_in(request_id=by_hand.pk, by=world.grace, voice=signing.voice(by_hand, by=world.grace), result={})
        drive(execution)

        action.refresh_from_db()
        assert (statuses(execution), action.status) == ({"send": "success", "ask": "awaiting_approval"}, "withdrawn")
        assert asked(execution).subject_id == execution.steps.get(key="ask").pk
