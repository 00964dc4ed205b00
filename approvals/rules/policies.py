"""Who must approve, and how many? Pure: facts and policies in, a requirement out. The stricter rule wins."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from approvals.models import ApprovalPolicy, OnTimeout, PolicyVerdict, ReasonCode, StepUp
from approvals.quorum import Need, people_of, union
from approvals.rules.deadlines import Clock
from audit.conditions import POLICY_VARIABLES, BadCondition, Verdict, compile_condition

# Risk tiers and the people they need at least, whatever the policies say.
TIERS = {"informational": 0, "customer_facing": 1, "financial": 2}
DAY, HOUR = 24 * 3600, 3600
LONGEST_SECONDS = 366 * DAY
NOBODY_ASKS = "No policy asks for a person."


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """The verdict on one action. `required` people over one digest, `needs` among them; `denied` asks nobody."""

    required: int
    denied: bool
    reasons: tuple[str, ...]
    policy_version: str
    needs: tuple[Need, ...] = ()
    reason_codes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    # A policy wants a second factor where one signature is enough; where two sign, it is asked anyway.
    step_up: bool = False
    decide_within_seconds: int = DAY
    use_within_seconds: int = HOUR
    clocks: tuple[Clock, ...] = ()
    on_timeout: str = OnTimeout.REJECT
    escalate_to: str = ""
    # Users who edited a policy that holds, with its name: they do not sign under it.
    editors: tuple[tuple[int, str], ...] = ()

    def asks_more_than(self, *, required: int, needs: Iterable[Need], checks: Iterable[str], step_up: bool) -> bool:
        """Is there anything here that was not asked before?"""
        before = {need.groups: need.count for need in needs}
        more_groups = any(need.count > before.get(need.groups, 0) for need in self.needs)
        more_proof = (self.step_up and not step_up) or not set(self.checks) <= set(checks)
        return self.required > required or more_groups or more_proof


def match(*, tier: str, facts: Mapping[str, Any], policies: Iterable[ApprovalPolicy]) -> Requirement:
    """Weigh the tool's tier as a floor and every policy whose condition holds. A condition that errors counts as held."""
    floor = TIERS[tier]
    hits = [(policy, why) for policy in policies if (why := _why(policy, facts))]
    reasons = tuple(why for _, why in hits)
    if floor:
        reasons += (f"The tool's risk tier is {tier.replace('_', ' ')}: at least {floor} must sign.",)
    return Requirement(
        denied=any(policy.verdict == PolicyVerdict.DENY for policy, _ in hits),
        reasons=reasons or (NOBODY_ASKS,),
        policy_version=", ".join(str(policy) for policy, _ in hits) or f"tier {tier}",
        editors=tuple((pk, str(policy)) for policy, _ in hits for pk in policy.editors),
        **_together(floor, [policy for policy, _ in hits if policy.verdict == PolicyVerdict.HOLD]),
    )


def _together(floor: int, policies: list[ApprovalPolicy]) -> dict[str, Any]:
    """What several policies ask for together: never less than any one of them."""
    asking = [policy for policy in policies if policy.required or policy.needs]
    needs = union(Need.read(policy.needs) for policy in asking)
    on_timeout, escalate_to = _silence(asking)
    return {
        "required": people_of(max([floor, *(policy.required for policy in asking)]), needs),
        "needs": needs,
        "reason_codes": codes_of(policy.reason_codes for policy in asking),
        "step_up": any(policy.step_up == StepUp.ALWAYS for policy in policies),
        "checks": tuple(dict.fromkeys(check for policy in asking for check in policy.checks)),
        "decide_within_seconds": min([policy.decide_within_seconds for policy in asking], default=DAY),
        "use_within_seconds": min([policy.use_within_seconds for policy in asking], default=HOUR),
        "clocks": tuple(sorted({Clock(policy.decide_within_seconds, policy.calendar) for policy in asking})),
        "on_timeout": on_timeout,
        "escalate_to": escalate_to,
    }


def codes_of(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The reasons that every policy offers; one that lists none offers all. “Other”, with its note, is always left."""
    narrowed = [set(codes) for codes in lists if codes]
    return tuple(sorted(set.intersection(*narrowed) | {ReasonCode.OTHER})) if narrowed else ()


def _why(policy: ApprovalPolicy, facts: Mapping[str, Any]) -> str:
    """The reason this policy applies, or "" when it does not."""
    words = f"{policy}: {policy.reason}"
    return reason_where(policy.condition, words, facts) if policy.condition else words


def reason_where(condition: str, words: str, facts: Mapping[str, Any]) -> str:
    """`words` where the condition holds; with the error where it cannot be evaluated, as that counts as held; else ""."""
    try:
        verdict = compile_condition(condition, POLICY_VARIABLES).evaluate(facts)
    except BadCondition as refusal:  # it was checked by an earlier release, or by nobody
        verdict = Verdict(None, str(refusal))
    if verdict.error:
        return f"{words} (it could not be evaluated, so the stricter branch applies: {verdict.error})"
    return words if verdict.value else ""


def _silence(policies: list[ApprovalPolicy]) -> tuple[str, str]:
    """Rejecting is the stricter answer to silence, then asking somebody else, then waiting on."""
    chosen = {policy.on_timeout for policy in policies}
    escalating = [policy for policy in policies if policy.on_timeout == OnTimeout.ESCALATE]
    if not policies or OnTimeout.REJECT in chosen:
        return OnTimeout.REJECT, ""
    if not escalating:
        return OnTimeout.HOLD, ""
    # Several groups to go on to: the one of the policy that is in the greatest hurry.
    soonest = min(escalating, key=lambda policy: (policy.decide_within_seconds, policy.name))
    return OnTimeout.ESCALATE, soonest.escalate_to
