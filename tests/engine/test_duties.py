"""Whose signature cannot count, on every path; and what one person alone cannot put in or out of force."""

import pytest
from django.contrib.auth import get_user_model

from approvals.models import ApprovalPolicy, ApprovalRequest
from approvals.rules.permissions import OwnRequest
from audit.actors import agent
from audit.definitions import NeedsTwo, activate, draft, retire
from audit.models import AuditEvent
from audit.refusals import Refusal
from budgets.models import BusinessUnit
from orchestrator.gate.propose import propose
from orchestrator.models import Agent
from orchestrator.operations import executions
from orchestrator.operations.registry import import_policies
from tests import worlds as make
from tests.engine.driving import approve

HEAD = """
workflow: signing
version: 1.0.0
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
steps:
"""
HANDLERS = (
    make.HANDLERS
    + """

def work(input, context):
    raise context.BusinessError("cannot be done")
"""
)
TWO_SIGN = "  - approve: {human_if: [amount > 1], required: 2}\n"


def by_clerk(world):
    return agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset({"executions:start"}))


def waiting(publish, steps, by):
    """The request of an execution of these steps that `by` has started."""
    publish(HEAD + steps, HANDLERS)
    execution = executions.start(workflow="signing", input={"amount": 3}, unit="finance", by=by)
    make.work()
    return ApprovalRequest.objects.get(execution_id=execution.pk)


class TestTheOwnerOfAnAgent:
    def test_does_not_sign_a_tool_step_of_an_execution_the_agent_started(self, world, publish):
        request = waiting(publish, "  - pay: {tool: pay}\n", by_clerk(world))

        with pytest.raises(OwnRequest):
            approve(request, world.olga)

    def test_does_not_sign_an_approve_step_of_an_execution_the_agent_started(self, world, publish):
        request = waiting(publish, TWO_SIGN, by_clerk(world))

        with pytest.raises(OwnRequest):
            approve(request, world.olga)

    @pytest.mark.parametrize("steps", [TWO_SIGN, "  - pay: {tool: pay}\n"])
    def test_does_not_sign_once_the_agent_is_retired_either(self, world, publish, steps):
        publish(HEAD + steps, HANDLERS)
        execution = executions.start(workflow="signing", input={"amount": 3}, unit="finance", by=by_clerk(world))
        retire(Agent.objects.get(name="clerk"), by=world.ada, why="replaced by another vendor's")
        make.work()

        with pytest.raises(OwnRequest, match="You own the agent clerk"):
            approve(ApprovalRequest.objects.get(execution_id=execution.pk), world.olga)

    def test_does_not_sign_for_the_version_that_the_release_names_nor_for_the_one_in_force(self, world, publish):
        publish(HEAD + "  - work: {agent: clerk}\n" + TWO_SIGN, make.HANDLERS + "\n\nwork = look\n")
        execution = executions.start(workflow="signing", input={"amount": 3}, unit="finance", by=world.ada)
        pinned = Agent.objects.get(name="clerk")
        newer = Agent(name="clerk", version=2, unit_id=pinned.unit_id, owner_id=world.linus.user_id, entry=pinned.entry)
        draft(newer, by=make.SETUP)
        activate(newer, by=make.SETUP)
        make.work()
        request = ApprovalRequest.objects.get(execution_id=execution.pk)

        for owner in (world.olga, world.linus):
            with pytest.raises(OwnRequest, match="You own the agent clerk"):
                approve(request, owner)

    def test_does_not_take_over_the_step_in_which_the_agent_failed(self, world, publish):
        steps = "  - work: {agent: clerk, on_error: route_to_human, retry: {max_attempts: 1}}\n"
        request = waiting(publish, steps, world.ada)

        with pytest.raises(OwnRequest):
            approve(request, world.olga)


class TestAnApproveStep:
    def test_does_not_go_on_with_the_signature_of_somebody_disabled_since(self, world, publish):
        request = waiting(publish, TWO_SIGN, world.ada)
        approve(request, world.grace)
        get_user_model().objects.filter(pk=world.grace.user_id).update(is_active=False)

        approve(request, world.linus)

        request.refresh_from_db()
        assert request.status == "pending"


class TestAPolicyInForce:
    def test_is_not_retired_by_one_person_alone(self, world):
        import_policies(
            [{"name": "two", "tool": "look", "required": 2, "reason": "two"}], by=make.SETUP, file="policies"
        )

        with pytest.raises(NeedsTwo):
            retire(ApprovalPolicy.objects.active().get(name="two"), by=world.ada)

    def test_is_not_replaced_from_another_unit(self, world):
        claims = BusinessUnit(name="claims", title="Claims")
        draft(claims, by=make.SETUP)
        activate(claims, by=make.SETUP)
        policy = {"name": "two", "unit": "claims", "tool": "look", "required": 2, "reason": "two"}
        import_policies([policy], by=make.SETUP, file="policies")
        mine = ApprovalPolicy(name="two", version=2, unit_id=world.unit.pk, tool="pay", reason="mine")
        draft(mine, by=world.ada)

        with pytest.raises(Refusal, match="name is taken"):
            activate(mine, by=world.olga)

        assert ApprovalPolicy.objects.active().get(name="two").unit_id == claims.pk


class TestADenial:
    def test_leaves_no_argument_in_the_audit_trail(self, world):
        arguments = {"amount": "sk-live-canary"}

        action = propose(tool="pay", arguments=arguments, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)

        assert "/amount" in action.reasons[0]
        assert not AuditEvent.objects.filter(why__contains="canary").exists()
