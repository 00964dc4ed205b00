"""Between the grant and the send: what changed meanwhile counts, and what may have happened keeps its key."""

import pytest
from django.contrib.auth import get_user_model

from approvals.models import ApprovalRequest
from audit.actors import agent
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import Void, redeem
from orchestrator.operations.registry import import_agents, import_policies
from tests import worlds as make
from tests.engine.driving import approve, asked, drive, statuses
from tests.engine.test_unknown_outcomes import say

UNSAFE = "  - send: {tool: unsafe, ref: R-1, retry: {max_attempts: 3, backoff: 1s}}\n"


def call(world, tool, **arguments):
    return propose(tool=tool, arguments=arguments, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)


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


class TestAGrant:
    def test_is_void_when_a_policy_asks_for_more_signatures_now(self, world):
        action = call(world, "pay", amount=5)
        approve(ApprovalRequest.objects.get(subject_id=action.pk), world.grace)
        import_policies(
            [{"name": "two", "tool": "pay", "required": 2, "reason": "two"}], by=make.SETUP, file="policies"
        )

        with pytest.raises(Void, match="ask for more"):
            redeemed(world, action)

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
