"""Who must approve, and how many? Pure: facts and policies in, a requirement out. The stricter rule wins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from approvals.models import ApprovalPolicy, OnTimeout, PolicyVerdict
from audit.conditions import POLICY_VARIABLES, compile_condition

# Risk tiers and the people they need at least, whatever the policies say.
TIERS = {"informational": 0, "customer_facing": 1, "financial": 2}
DAY, HOUR = 24 * 3600, 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """The verdict on one action. `required` people over one digest; `denied` closes it without asking anybody."""

    required: int
    denied: bool
    reasons: tuple[str, ...]
    policy_version: str
    decide_within_seconds: int = DAY
    use_within_seconds: int = HOUR
    on_timeout: str = OnTimeout.REJECT


def match(*, tier: str, facts: Mapping[str, Any], policies: Iterable[ApprovalPolicy]) -> Requirement:
    """Weigh the tool's tier as a floor and every policy whose condition holds. A condition that errors counts as held."""
    floor = TIERS[tier]
    hits = [(policy, why) for policy in policies if (why := _why(policy, facts))]
    reasons = tuple(why for _, why in hits)
    if floor:
        reasons += (f"The tool's risk tier is {tier.replace('_', ' ')}: at least {floor} must sign.",)
    holding = [policy for policy, _ in hits if policy.verdict == PolicyVerdict.HOLD and policy.required]
    return Requirement(
        required=max([floor, *(policy.required for policy in holding)]),
        denied=any(policy.verdict == PolicyVerdict.DENY for policy, _ in hits),
        reasons=reasons or ("No policy asks for a person.",),
        policy_version=", ".join(str(policy) for policy, _ in hits) or f"tier {tier}",
        decide_within_seconds=min([policy.decide_within_seconds for policy in holding], default=DAY),
        use_within_seconds=min([policy.use_within_seconds for policy in holding], default=HOUR),
        # Rejecting is the stricter answer to silence than waiting on.
        on_timeout=_strictest(policy.on_timeout for policy in holding),
    )


def _why(policy: ApprovalPolicy, facts: Mapping[str, Any]) -> str:
    """The reason this policy applies, or "" when it does not."""
    if not policy.condition:
        return f"{policy}: {policy.reason}"
    verdict = compile_condition(policy.condition, POLICY_VARIABLES).evaluate(facts)
    if verdict.error:
        return f"{policy}: {policy.reason} (the rule could not be evaluated, so the stricter branch applies: {verdict.error})"
    return f"{policy}: {policy.reason}" if verdict.value else ""


def _strictest(choices: Iterable[str]) -> str:
    chosen = set(choices)
    return OnTimeout.HOLD if chosen == {OnTimeout.HOLD} else OnTimeout.REJECT
