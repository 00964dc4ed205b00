"""Between the grant and the send: what changed meanwhile counts, and what may have happened keeps its key."""

from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from approvals.models import ApprovalRequest
from audit.actors import agent
from audit.definitions import activate, draft, retire
from audit.refusals import NotVisible
from budgets.models import BusinessUnit
from orchestrator.gate.judge import judge
from orchestrator.gate.propose import propose
from orchestrator.gate.reconcile import regrant
from orchestrator.gate.redeem import Void, redeem
from orchestrator.gate.report import report
from orchestrator.gate.snapshot import digest_of
from orchestrator.gate.undo import undo
from orchestrator.gate.withdraw import withdraw
from orchestrator.models import Action, Agent
from orchestrator.operations.registry import import_agents, import_policies
from tests import worlds as make
from tests.engine.driving import approve, asked, drive, statuses
from tests.engine.test_unknown_outcomes import say

UNSAFE = "  - send: {tool: unsafe, ref: R-1, retry: {max_attempts: 3, backoff: 1s}}\n"


def call(world, tool, **arguments):
    return propose(tool=tool, arguments=arguments, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)


def elsewhere():
    draft(unit := BusinessUnit(name="elsewhere", title="Elsewhere"), by=make.SETUP)
    activate(unit, by=make.SETUP)
    return unit


def redeemed(world, action):
    clerk = agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset())
    return redeem(action_id=action.pk, by=clerk)


class TestASendWithoutAnAnswer:
    def test_keeps_its_key_when_a_new_policy_has_people_asked_before_the_retry(self, world, governed, provider):
        governed("  - send: {tool: send_a, ref: R-1, retry: {max_attempts: 3, backoff: 1s}}\n")
        execution = make.start(world, "outside")
        provider.plan("drop")
        make.work()
        import_policies(
            [{"name": "one", "tool": "send_a", "required": 1, "reason": "one"}], by=make.SETUP, file="policies"
        )
        drive(execution)
        assert statuses(execution) == {"send": "unknown_outcome"}
        say(execution, world.ada, "did_not")
        drive(execution)
        approve(asked(execution), world.grace)

        drive(execution)

        assert execution.status == "succeeded"
        assert len({key for key, _ in provider.sends}) == 1
        assert provider.effects == ["R-1"]

    def test_is_not_asked_for_again_when_its_own_effect_changed_the_record(self, world, governed, provider):
        governed(UNSAFE)
        execution = make.start(world, "outside")
        make.work()
        provider.plan("ok", "drop")
        approve(asked(execution), world.grace)
        make.work()
        provider.record = {"revision": 2}
        drive(execution)
        assert statuses(execution) == {"send": "unknown_outcome"}

        say(execution, world.ada, "happened", result={"ref": "R-1"})
        drive(execution)

        assert (execution.status, len(provider.sends)) == ("succeeded", 1)
        assert provider.effects == ["R-1"]


class TestARetry:
    def test_does_not_go_out_under_a_signature_that_no_longer_counts(self, world, governed, provider):
        governed(UNSAFE)
        execution = make.start(world, "outside")
        make.work()
        provider.plan("ok", "down")
        approve(asked(execution), world.grace)
        make.work()
        get_user_model().objects.filter(pk=world.grace.user_id).update(is_active=False)

        drive(execution)

        assert len(provider.sends) == 1
        assert asked(execution)

    @pytest.fixture
    def again(self, world):
        """A call that was sent once, did nothing, and may be sent again."""
        action = call(world, "pay", amount=5)
        approve(ApprovalRequest.objects.get(subject_id=action.pk), world.grace)
        report(action_id=action.pk, fence=redeemed(world, action).fence, outcome="system_error", by=make.SETUP)
        return regrant(action_id=action.pk, by=make.SETUP, why="the other system answers again")

    def test_goes_out_under_the_approval_of_the_first_send(self, world, again):
        assert redeemed(world, again).arguments == {"amount": 5}

    def test_does_not_go_out_when_the_time_for_use_is_over(self, world, again):
        ApprovalRequest.objects.filter(subject_id=again.pk).update(use_by=Now())

        with pytest.raises(Void, match="time for use is over"):
            redeemed(world, again)

    def test_does_not_go_out_with_other_bytes_than_were_approved(self, world, again):
        again.arguments = '{"amount":50}'
        Action.objects.filter(pk=again.pk).update(arguments=again.arguments, digest=digest_of(again))

        with pytest.raises(Void):
            redeemed(world, again)


class TestAGrant:
    def test_is_void_when_a_policy_asks_for_more_signatures_now(self, world):
        action = call(world, "pay", amount=5)
        approve(ApprovalRequest.objects.get(subject_id=action.pk), world.grace)
        import_policies(
            [{"name": "two", "tool": "pay", "required": 2, "reason": "two"}], by=make.SETUP, file="policies"
        )

        with pytest.raises(Void, match="ask for more"):
            redeemed(world, action)

        assert Action.objects.get(pk=action.pk).status == "void"
        assert ApprovalRequest.objects.get(subject_id=action.pk).status == "void"

    def test_is_void_when_a_policy_denies_now_what_was_allowed(self, world):
        action = call(world, "look")
        policy = {"name": "none", "tool": "look", "verdict": "deny", "reason": "none"}
        import_policies([policy], by=make.SETUP, file="policies")

        with pytest.raises(Void, match="ask for more"):
            redeemed(world, action)

    def test_stands_when_a_new_policy_asks_for_no_more_than_was_given(self, world):
        action = call(world, "pay", amount=5)
        approve(ApprovalRequest.objects.get(subject_id=action.pk), world.grace)
        import_policies(
            [{"name": "one", "tool": "pay", "required": 1, "reason": "one"}], by=make.SETUP, file="policies"
        )

        assert redeemed(world, action).arguments == {"amount": 5}

    def test_is_void_when_its_agent_may_no_longer_call_the_tool(self, world):
        action = call(world, "look")
        import_agents([{**make.AGENTS[0], "allowed_tools": ["pay"]}], by=make.SETUP, file="agents")

        with pytest.raises(Void, match="may no longer call"):
            redeemed(world, action)

    def test_is_void_when_its_agent_works_in_another_unit_now(self, world):
        action = call(world, "look")
        elsewhere()
        import_agents([{**make.AGENTS[0], "unit": "elsewhere"}], by=make.SETUP, file="agents")

        with pytest.raises(Void, match="may no longer call"):
            redeemed(world, action)

    def test_is_void_when_its_agent_is_retired(self, world):
        action = call(world, "look")
        retire(Agent.objects.active().get(name="clerk"), by=make.SETUP)

        with pytest.raises(Void, match="no longer active"):
            redeemed(world, action)

    def test_is_void_when_a_policy_for_every_tool_asks_for_people_now(self, world):
        action = call(world, "look")
        import_policies([{"name": "all", "tool": "*", "required": 1, "reason": "all"}], by=make.SETUP, file="policies")

        with pytest.raises(Void, match="ask for more"):
            redeemed(world, action)

    def test_is_void_when_a_policy_came_into_force_while_it_was_judged(self, world):
        asked = {"tool": "look", "arguments": {}, "agent": "clerk", "unit_id": world.unit.pk}
        judged = judge(**asked)
        import_policies(
            [{"name": "one", "tool": "look", "required": 1, "reason": "one"}], by=make.SETUP, file="policies"
        )
        action = propose(**asked, by=make.SETUP, judged=judged)

        with pytest.raises(Void, match="ask for more"):
            redeemed(world, action)

    def test_is_void_when_the_stored_bytes_are_not_those_that_were_judged(self, world):
        action = call(world, "pay", amount=5)
        approve(ApprovalRequest.objects.get(subject_id=action.pk), world.grace)
        Action.objects.filter(pk=action.pk).update(arguments='{"amount":50}')

        with pytest.raises(Void, match="do not match the digest"):
            redeemed(world, action)


class TestAHint:
    def hinted(self, unit, name="clerk"):
        return propose(tool="look", arguments={}, agent=name, unit_id=unit.pk, by=make.SETUP, idempotency_hint="case-7")

    def test_is_another_unit_s_own(self, world):
        """One agent of a unit above works in two below: what it did in one is not answered in the other."""
        below = elsewhere()
        BusinessUnit.objects.filter(pk=below.pk).update(parent=world.unit)

        there, here = self.hinted(below), self.hinted(world.unit)

        assert (there.unit_id, here.unit_id) == (below.pk, world.unit.pk)
        assert there.idempotency_key != here.idempotency_key
        assert self.hinted(world.unit).pk == here.pk

    def test_is_another_agent_s_own(self, world):
        import_agents([{**make.AGENTS[0], "name": "clerk2"}], by=make.SETUP, file="agents")

        assert self.hinted(world.unit, "clerk2").idempotency_key != self.hinted(world.unit).idempotency_key


class TestAnotherAgent:
    """Every door looks for the caller's own calls; whoever reaches the gate some other way is told the same."""

    @pytest.mark.parametrize("stranger", ["another name", "another unit"])
    def test_finds_no_call_of_this_one(self, world, stranger):
        action = call(world, "look")
        name, unit = ("clerk2", world.unit) if stranger == "another name" else ("clerk", elsewhere())
        by = agent(name, unit_ids=frozenset({unit.pk}), scopes=frozenset())
        verbs = [
            lambda: redeem(action_id=action.pk, by=by),
            lambda: report(action_id=action.pk, fence=uuid4(), outcome="success", by=by),
            lambda: withdraw(action_id=action.pk, by=by, why="not mine"),
            lambda: undo(action_id=action.pk, by=by, why="not mine"),
        ]

        for verb in verbs:
            with pytest.raises(NotVisible):
                verb()
