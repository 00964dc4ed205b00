"""A misspelt name in a policy is found when it is saved, not on the next action."""

import pytest

from approvals import vocabulary
from approvals.models import ApprovalPolicy
from approvals.rules.policies import match
from audit.conditions import BadCondition
from tests import worlds as make

pytestmark = pytest.mark.django_db


class TestCheck:
    @pytest.mark.parametrize(
        ("condition", "says"),
        [
            ("args.amuont > 100", "line 1, column 6: there is no 'amuont' in args. Did you mean args.amount?"),
            ("args.amount > 100 &&\n unit.curency == 'EUR'", "line 2, column 7"),
            ("agent.salary > 3", "It has: name, owner, version."),
            ("has(args.amonut)", "Did you mean args.amount?"),
            ("amount > 100", "unknown name `amount`"),
        ],
    )
    def test_refuses_a_name_that_cannot_be_there(self, condition, says):
        make.world()

        with pytest.raises(BadCondition) as refused:
            vocabulary.check(condition, tool="pay")

        assert says in str(refused.value)

    @pytest.mark.parametrize(
        ("condition", "tool"),
        [
            ("args.amount > 100 && tool.tier == 'financial'", "pay"),
            ("unit.name == 'args.anything' && args.amount > 1", "pay"),
            ("args.whatever == 1", "*"),
            ("args.whatever == 1", "look"),
            ("unit.title.startsWith('F')", "pay"),
        ],
    )
    def test_lets_through_what_may_be_there(self, condition, tool):
        make.world()

        vocabulary.check(condition, tool=tool)


class TestAConditionThatNoLongerCompiles:
    def test_counts_as_held_and_says_why(self):
        """It was checked when it was drafted, by an earlier release and its names."""
        old = ApprovalPolicy(name="old", tool="*", required=1, reason="large", condition="limit.of(args) > 5")

        need = match(tier="informational", facts={"args": {}}, policies=[old])

        assert need.required == 1
        assert need.reasons[0].startswith("old v1: large (it could not be evaluated, so the stricter branch applies:")
