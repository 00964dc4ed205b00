"""A person stops an agent, a tool, a unit or everything: nothing it covers goes out, nothing is lost, and all goes on after."""

import threading

import pytest
from django.db import connection, transaction

from approvals.models import Stop, StopScope
from approvals.operations import stops
from approvals.operations.stops import Target
from approvals.rules.stopped import Stopped
from audit.actors import agent, system
from audit.definitions import activate, draft
from budgets.models import BusinessUnit
from orchestrator.engine.sweep import sweep
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import NotGranted, redeem
from orchestrator.models import Action
from orchestrator.queries.stops import stop_page
from tests import worlds as make
from tests.engine.driving import approve, drive, step

CLERK = agent("clerk", unit_ids=frozenset(), scopes=frozenset())
PAY = "  - pay: {tool: pay}\n"
LOOK_TWICE = """
workflow: looking
version: 1.0.0
steps:
  - first: {tool: look}
  - second: {tool: look, needs: [first]}
"""
CALLING = """
workflow: calling
version: 1.0.0
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
steps:
  - work: {agent: clerk}
"""
CALLS = """
def work(input, context):
    return context.call("look", {})


def look(arguments, context):
    return {"seen": True}


def pay(arguments, context):
    return {}
"""


def stop(world, **target):
    chosen = {"scope": StopScope.UNIT, "unit_id": world.unit.pk, **target}
    return stops.engage(target=Target(**chosen), by=world.ada, reason="the books do not agree")


def lift(world, stop):
    return stops.lift(stop_id=stop.pk, by=world.ada, why="the books agree again")


def proposed(world, tool="look", **arguments):
    return propose(tool=tool, arguments=arguments, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)


@pytest.fixture(params=["agent", "tool", "unit", "unit above"])
def target(request, world):
    """Everything that covers the clerk's look in finance."""
    group = BusinessUnit(name="group", title="Group")
    draft(group, by=make.SETUP)
    activate(group, by=make.SETUP)
    BusinessUnit.objects.filter(pk=world.unit.pk).update(parent=group)
    from django.contrib.auth import get_user_model

    from budgets.permissions import grant

    grant(get_user_model().objects.get(username="ada"), "operate", group)
    return {
        "agent": {"scope": StopScope.AGENT, "agent": "clerk"},
        "tool": {"scope": StopScope.TOOL, "tool": "look"},
        "unit": {},
        "unit above": {"unit_id": group.pk},
    }[request.param]


class TestAGrantedAction:
    def test_is_not_handed_out_while_a_stop_covers_it_and_is_afterwards(self, world, target):
        action = proposed(world)
        engaged = stop(world, **target)

        with pytest.raises(Stopped, match="the books do not agree"):
            redeem(action_id=action.pk, by=make.SETUP)
        action.refresh_from_db()
        assert action.status == "granted"

        lift(world, engaged)
        assert redeem(action_id=action.pk, by=make.SETUP).arguments == {}

    @pytest.mark.parametrize(
        "other", [{"scope": StopScope.AGENT, "agent": "other"}, {"scope": StopScope.TOOL, "tool": "pay"}]
    )
    def test_is_handed_out_while_something_else_is_stopped(self, world, other):
        action = proposed(world)
        stop(world, **other)

        assert redeem(action_id=action.pk, by=make.SETUP).fence


class TestAProposal:
    def test_is_stored_and_waits_and_is_granted_when_the_stop_is_lifted(self, world, target):
        engaged = stop(world, **target)
        action = proposed(world)

        assert (action.status, action.verdict, action.approval_id) == ("held", "hold", None)
        assert "the books do not agree" in action.reasons[0]
        with pytest.raises(Stopped):
            redeem(action_id=action.pk, by=make.SETUP)
        sweep()
        action.refresh_from_db()
        assert action.status == "held"

        lift(world, engaged)
        sweep()
        action.refresh_from_db()
        assert action.status == "granted"
        assert redeem(action_id=action.pk, by=make.SETUP).arguments == {}

    def test_that_policy_denies_is_denied(self, world):
        stop(world)

        assert proposed(world, tool="nobody knows it").status == "denied"

    def test_that_people_must_sign_is_asked_about_and_approving_waits(self, world):
        engaged = stop(world)
        request = make.request(world)

        assert request.frozen_at is not None
        with pytest.raises(Stopped):
            approve(request, world.grace)

        lift(world, engaged)
        approve(request, world.grace)
        assert redeem(action_id=request.subject_id, by=make.SETUP).fence

    def test_that_still_waits_tells_who_asks_too_early(self, world):
        request = make.request(world)

        with pytest.raises(NotGranted):
            redeem(action_id=request.subject_id, by=make.SETUP)


class TestAStep:
    def test_is_not_started_and_goes_on_by_itself(self, world, publish):
        publish(LOOK_TWICE)
        execution = make.start(world, "looking")
        engaged = stop(world)

        drive(execution)
        assert execution.status == "waiting"
        first = step(execution, "first")
        assert (first.status, first.tries) == ("stopped", 0)
        assert "the books do not agree" in first.why
        assert not Action.objects.exists()

        lift(world, engaged)
        drive(execution)
        assert execution.status == "succeeded"

    def test_of_a_stopped_workflow_is_not_started(self, world, publish):
        publish(LOOK_TWICE)
        execution = make.start(world, "looking")
        engaged = stop(world, scope=StopScope.AGENT, agent="workflow:looking")

        drive(execution)
        assert step(execution, "first").status == "stopped"

        lift(world, engaged)
        drive(execution)
        assert execution.status == "succeeded"

    def test_whose_call_is_stopped_half_way_is_parked_and_re_entered(self, world, publish):
        publish(CALLING, CALLS)
        execution = make.start(world, "calling", amount=1)
        engaged = stop(world, scope=StopScope.TOOL, tool="look")

        drive(execution)
        assert step(execution, "work").status == "stopped"
        assert Action.objects.get().status == "held"
        shown = stop_page(world.ada, engaged.pk)
        assert (shown.actions, shown.steps) == (1, 1)

        lift(world, engaged)
        drive(execution)
        assert execution.status == "succeeded"
        assert step(execution, "work").output == {"seen": True}

    def test_whose_granted_call_is_stopped_before_it_goes_out_is_parked(self, world, publish):
        publish(make.PAY_WORKFLOW)
        execution, request = make.held_execution(world)
        approve(request, world.grace)
        engaged = stop(world)

        drive(execution)
        assert step(execution, "pay").status == "stopped"
        assert Action.objects.get().status == "granted"

        lift(world, engaged)
        drive(execution)
        assert execution.status == "succeeded"

    def test_that_waits_for_a_stop_is_cancelled_with_its_execution(self, world, publish):
        from orchestrator.operations import executions

        publish(LOOK_TWICE)
        execution = make.start(world, "looking")
        stop(world)
        drive(execution)

        executions.cancel(execution_id=execution.pk, by=world.ada, why="no longer needed")

        assert step(execution, "first").status == "cancelled"


class TestTheGateAndAStopAtTheSameInstant:
    def test_a_redeem_that_passes_is_over_before_the_stop_is_engaged(self, world):
        """Whoever is told "stopped" may rely on it: no transaction that lets something out is still under way."""
        action = proposed(world)
        passing, engaged = threading.Event(), threading.Event()

        def engage():
            try:
                passing.wait()
                stop(world)
                engaged.set()
            finally:
                connection.close()

        thread = threading.Thread(target=engage)
        thread.start()
        with transaction.atomic():
            redeem(action_id=action.pk, by=make.SETUP)
            passing.set()
            assert not engaged.wait(0.3)
        thread.join()
        assert engaged.is_set()
        assert Stop.objects.get().engaged_at > Action.objects.get().redeemed_at

    def test_nothing_passes_after_the_stop_however_many_are_at_the_door(self, world):
        waiting = [proposed(world, n=number) for number in range(40)]
        gate = threading.Barrier(5)

        def pass_all(mine):
            try:
                gate.wait()
                for action in mine:
                    try:
                        redeem(action_id=action.pk, by=system("test"))
                    except Stopped:
                        continue
            finally:
                connection.close()

        threads = [threading.Thread(target=pass_all, args=(waiting[place::4],)) for place in range(4)]
        for thread in threads:
            thread.start()
        gate.wait()
        engaged = stop(world)
        engaged.refresh_from_db()
        for thread in threads:
            thread.join()

        assert not Action.objects.filter(redeemed_at__gt=engaged.engaged_at).exists()
        assert (
            Action.objects.filter(status="granted").exists() or Action.objects.filter(status="redeemed").count() == 40
        )
