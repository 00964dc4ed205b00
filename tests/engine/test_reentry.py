"""An agent that waited for people is run again from its start, and goes through its record: nothing is done twice."""

import pytest
from django.contrib.auth import get_user_model

from approvals.queries import review
from audit.lifecycle import database_now
from orchestrator.engine.segment import begin
from orchestrator.gate.withdraw import BelongsToAStep, withdraw
from tests import trail
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import actions, approve, asked, attempts, claim, drive, lapse, reject, statuses, step

REFS = {"type": "object", "properties": {name: {} for name in ("tool", "refs", "pairs")}}
CLERK = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
          "input_schema": REFS}]  # fmt: skip
# Calls tools one after the other, as the input says; a refusal is noted and the rest goes on.
WORK = """

def work(input, context):
    done = []
    for tool, ref in input["pairs"]:
        try:
            done.append(context.call(tool, {"ref": ref}))
        except context.BusinessError as no:
            done.append({"refused": str(no)})
    return {"done": done}
"""
HANDLERS = providers.HANDLERS.partition("\n\ndef work(")[0] + WORK
# What it calls depends on how often it was run: not deterministic.
MOODY = (
    providers.HANDLERS.partition("\n\ndef work(")[0]
    + """

def work(input, context):
    context.call("send_a", {"ref": f"R-{context.attempt}"})
    context.call("unsafe", {"ref": "R-0"})
    return {}
"""
)
# Run again, it leaves out what people were asked about.
FICKLE = (
    providers.HANDLERS.partition("\n\ndef work(")[0]
    + """

def work(input, context):
    context.call("send_a", {"ref": "R-1"})
    if context.attempt == 1:
        context.call("unsafe", {"ref": "R-0"})
    return {}
"""
)
RUN = "  - run: {agent: clerk, retry: {max_attempts: 3, backoff: 1s}}\n"


def started(world, governed, *pairs, handlers=HANDLERS):
    governed(RUN, handlers, agents=CLERK)
    execution = make.start(world, "outside", pairs=[list(pair) for pair in pairs])
    drive(execution)
    return execution


class TestAParkedAgent:
    def test_frees_its_worker_and_its_wait_counts_as_no_try(self, world, governed, provider):
        execution = started(world, governed, ("unsafe", "R-1"))

        assert execution.status == "waiting"
        assert attempts(execution, "run") == [("parked", "")]
        assert step(execution, "run").tries == 0

    def test_goes_on_after_the_signature_and_repeats_nothing(self, world, governed, provider):
        execution = started(world, governed, ("send_a", "R-1"), ("unsafe", "R-2"), ("send_a", "R-3"))
        assert provider.effects == ["R-1"]

        approve(asked(execution), world.grace)
        drive(execution)

        assert execution.status == "succeeded"
        assert [ref for _, ref in provider.sends] == ["R-1", "R-2", "R-3"]
        assert attempts(execution, "run") == [("parked", ""), ("succeeded", "")]

    def test_hears_of_a_rejection_and_goes_on_without(self, world, governed, provider):
        execution = started(world, governed, ("unsafe", "R-1"), ("send_a", "R-2"))

        reject(asked(execution), world.grace)
        drive(execution)

        assert execution.status == "succeeded"
        assert "rejected by grace" in step(execution, "run").output["done"][0]["refused"]
        assert provider.effects == ["R-2"]

    def test_can_wait_again_and_again(self, world, governed, provider):
        execution = started(world, governed, *[("unsafe", f"R-{number}") for number in range(8)])

        for _ in range(8):
            approve(asked(execution), world.grace)
            drive(execution)

        assert execution.status == "succeeded"
        assert provider.effects == [f"R-{number}" for number in range(8)]


class TestARetriedAgent:
    def test_repeats_only_the_call_that_failed(self, world, governed, provider):
        provider.plan("ok", "down", "ok")
        execution = started(world, governed, ("send_a", "R-1"), ("send_a", "R-2"), ("send_a", "R-3"))

        assert execution.status == "succeeded"
        assert [ref for _, ref in provider.sends] == ["R-1", "R-2", "R-2", "R-3"]
        assert provider.effects == ["R-1", "R-2", "R-3"]
        assert attempts(execution, "run") == [("failed", "system"), ("succeeded", "")]

    def test_that_does_something_else_this_time_is_stopped_before_it_acts(self, world, governed, provider):
        execution = started(world, governed, handlers=MOODY)
        approve(asked(execution), world.grace)

        drive(execution)

        assert attempts(execution, "run") == [("parked", ""), ("failed", "determinism")]
        assert execution.status == "dead_lettered"
        assert provider.effects == ["R-1"]

    def test_that_does_less_this_time_is_stopped_for_people_had_signed_for_more(self, world, governed, provider):
        execution = started(world, governed, handlers=FICKLE)
        approve(asked(execution), world.grace)

        drive(execution)

        assert attempts(execution, "run") == [("parked", ""), ("failed", "determinism")]
        assert (execution.status, provider.effects) == ("dead_lettered", ["R-1"])
        assert "Call 2 was unsafe before" in step(execution, "run").attempts.last().message

    def test_that_does_no_more_of_what_was_refused_is_as_before(self, world, governed, provider):
        execution = started(world, governed, handlers=FICKLE)
        reject(asked(execution), world.grace)

        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-1"])

    def test_cannot_retry_by_itself_what_was_sent_without_an_answer(self, world, governed, provider):
        stubborn = HANDLERS.replace("except context.BusinessError", "except Exception")
        provider.plan("vanish")
        provider.finding = {"happened": "no"}

        execution = started(world, governed, ("send_a", "R-1"), handlers=stubborn)

        assert attempts(execution, "run") == [("failed", "unknown_outcome"), ("succeeded", "")]
        assert len(set(provider.sends)) == 1


class TestARecordThatChanged:
    """The approval was given over the record as it stood; what changed since is asked again."""

    def test_voids_the_approval_and_asks_again(self, world, governed, provider):
        execution = started(world, governed, ("unsafe", "R-1"))
        first = asked(execution)
        approve(first, world.grace)
        provider.record = {"revision": 2}

        drive(execution)

        first.refresh_from_db()
        second = asked(execution)
        assert first.status == "void"
        assert second.digest != first.digest
        assert provider.sends == []
        assert [action.status for action in actions(execution)] == ["void", "held"]
        shown = review(world.grace, first.pk, now=database_now())
        assert shown.successor == second
        assert shown.void_because

        approve(second, world.grace)
        drive(execution)
        assert execution.status == "succeeded"
        assert provider.effects == ["R-1"]

    def test_before_people_decide_voids_their_decision_too(self, world, governed, provider):
        execution = started(world, governed, ("unsafe", "R-1"))
        provider.record = {"revision": 2}
        approve(asked(execution), world.grace)

        drive(execution)

        assert provider.sends == []
        assert "action.void" in trail.story(execution.pk)


class TestAReviewerWhoLostTheRole:
    def test_no_longer_counts_at_dispatch(self, world, governed, provider):
        execution = started(world, governed, ("unsafe", "R-1"))
        first = asked(execution)
        approve(first, world.grace)
        revoke(world.grace)

        drive(execution)

        first.refresh_from_db()
        assert first.status == "void"
        assert provider.sends == []
        assert statuses(execution) == {"run": "awaiting_approval"}


class TestAWorkerThatDied:
    def test_while_it_was_parked_is_no_loss(self, world, governed, provider):
        execution = started(world, governed, ("unsafe", "R-1"))
        request = asked(execution)
        approve(request, world.grace)
        begin(claim().fence)
        lapse(step(execution, "run").attempt_id)
        drive(execution)

        assert execution.status == "succeeded"
        assert provider.effects == ["R-1"]


def revoke(person):
    get_user_model().objects.filter(pk=person.user_id).update(is_active=False)


class TestWithdrawing:
    def test_a_call_of_a_step_is_refused_since_the_step_would_ask_again(self, world, publish):
        """Signatures given so far would be void, and people asked anew at once."""
        publish(make.PAY_WORKFLOW)
        _, request = make.held_execution(world)

        with pytest.raises(BelongsToAStep):
            withdraw(action_id=request.subject_id, by=world.ada, why="mine")

        request.refresh_from_db()
        assert request.status == "pending"
