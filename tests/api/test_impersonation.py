"""A token speaks for its own agent: not as a workflow, not about other units, not in place of the engine's worker."""

import pytest

from orchestrator.engine.segment import begin
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.gate.undo import undo
from orchestrator.models import Action
from orchestrator.operations.registry import import_agents, import_tools
from tests import worlds as make
from tests.api.conftest import Caller, make_token, make_unit
from tests.engine.conftest import publish, world  # noqa: F401
from tests.engine.driving import approve, asked, claim

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = """
def work(input, context):
    context.call("pay", {"amount": 1})
    return {}
"""
WORKS = """
workflow: working
version: 1.0.0
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
steps:
  - work: {agent: clerk}
"""


@pytest.fixture
def api(world):  # noqa: F811
    return Caller(make_token("clerk", "finance"))


def test_a_token_does_not_propose_as_a_workflow(api):
    body = {"tool": "pay", "arguments": {"amount": 1}, "agent": "workflow:paying"}

    status, problem, _ = api.post("actions/", body)

    assert (status, problem["code"]) == (403, "other_agent")


def test_an_agent_of_another_unit_is_answered_like_one_that_does_not_exist(api):
    make_unit("claims", "Claims")
    import_agents([{**make.AGENTS[0], "name": "adjuster", "unit": "claims"}], by=make.SETUP, file="agents")

    theirs, nobodys = (
        api.post("actions/", {"tool": "look", "arguments": {}, "agent": name}) for name in ("adjuster", "nobody")
    )

    assert theirs[0] == nobodys[0] == 201
    assert [reason.replace("adjuster", "nobody") for reason in theirs[1]["reasons"]] == nobodys[1]["reasons"]


def test_a_token_does_not_report_what_the_engine_is_sending(api, world, publish):  # noqa: F811
    publish(WORKS, CALLS + make.HANDLERS)
    execution = make.start(world, "working", amount=1)
    make.work()
    approve(asked(execution), world.grace)
    fence = claim().fence
    begin(fence)
    action = Action.objects.get(execution_id=execution.pk)
    redeem(action_id=action.pk, by=make.SETUP, fence=fence)

    forged = {"fence": str(fence), "outcome": "success", "result": {"paid": 10**9}}
    status, problem, _ = api.post(f"actions/{action.pk}/outcomes/", forged)

    assert (status, problem["code"]) == (409, "stale")
    action.refresh_from_db()
    assert (action.status, action.result) == ("redeemed", None)


def test_an_agent_cannot_block_the_undoing_of_its_act_by_taking_its_hint(world):  # noqa: F811
    import_tools(
        [{**make.TOOLS[2], "version": "2", "effect": "write", "compensate_with": "pay"}], by=make.SETUP, file="tools"
    )
    act = propose(tool="look", arguments={}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)
    report(action_id=act.pk, fence=redeem(action_id=act.pk, by=make.SETUP).fence, outcome="success", by=make.SETUP)
    propose(
        tool="pay", arguments={"amount": 1}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP,
        idempotency_hint=f"undo:{act.pk}",
    )  # fmt: skip

    assert undo(action_id=act.pk, by=world.ada, why="wrong").undoes_id == act.pk
