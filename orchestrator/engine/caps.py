"""What a workflow or step may use: steps, tokens, money, tools. Asked before a step and a call, and after every run.

What cannot be counted is not taken for nothing: under `max_cost`, a call whose cost nobody knows is over the cap.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from budgets.models import BusinessUnit
from budgets.operations import spent
from budgets.pricing import Usage, cost_of_call
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import Segment
from orchestrator.models import Action
from orchestrator.statuses import StepStatus

_NEVER_RAN = {StepStatus.PENDING, StepStatus.SKIPPED, StepStatus.CANCELLED}
_HAS_RUN = {StepStatus.SUCCESS, StepStatus.BUSINESS_ERROR}


def refused_tool(segment: Segment, tool: str) -> str | None:
    """Why this workflow or step must not call the tool, or None."""
    workflow, step = segment.released.spec.allowed_tools, segment.spec.allowed_tools
    asked = segment.execution.envelope.get("allowed_actions")
    if segment.spec.offline:
        return f"The step {segment.key} is offline: it calls no tool."
    if tool not in segment.released.tools:
        return f"The release this execution is pinned to has no tool {tool}."
    if workflow is not None and tool not in workflow:
        return f"The workflow does not allow the tool {tool}."
    if step is not None and tool not in step:
        return f"The step {segment.key} does not allow the tool {tool}."
    if asked is not None and tool not in asked:
        return f"Whoever started this does not allow the tool {tool}."
    return None


def over_calls(segment: Segment) -> Failure | None:
    """No further call is left of those that whoever started this allows. Asked before a call that was not made before."""
    most = segment.execution.envelope.get("tool_budget")
    if most is None:
        return None
    # A call is a place in a step, however often it was edited, read anew or asked again.
    made = Action.objects.filter(execution_id=segment.execution.pk, step_id__isnull=False)
    if made.order_by().values("step_id", "occurrence").distinct().count() < most:
        return None
    return Failure("budget", f"{most} tool calls were made; whoever started this allows no more.")


def over_steps(segment: Segment) -> Failure | None:
    """As many steps have run as may."""
    most = segment.released.spec.max_steps
    if most is None or _before(segment) < most:
        return None
    return Failure("budget", f"{most} steps have run; that is the workflow's cap.")


def over_before(segment: Segment) -> Failure | None:
    """No head-room for one more run of an agent, or one more call. What was sent before is looked up without any."""
    return over_steps(segment) or _over_total(segment, used_up=True)


def _before(segment: Segment) -> int:
    """The steps that have run, and those under way that stand before this one in order: of branches that were claimed together
    it is always the same one that goes beyond the cap, and never each because of the other.
    """
    order = segment.released.spec.order
    first = set(order[: order.index(segment.key)])
    others = [(key, step.status) for key, step in segment.steps.items() if key != segment.key]
    return sum(status in _HAS_RUN or (key in first and status not in _NEVER_RAN) for key, status in others)


def over_after(segment: Segment) -> Failure | None:
    """What the run just ended used, by itself and with everything before it."""
    spec, usages = segment.spec, segment.usages
    used = _tokens(usages)
    if spec.token_budget is not None and used > spec.token_budget:
        return Failure("budget", f"{used} tokens used; the step's budget is {spec.token_budget}.")
    if spec.max_cost is not None:
        failure = _over_cost(segment, usages, spec.max_cost, "step")
        if failure is not None:
            return failure
    return _over_total(segment, used_up=False)


def _over_total(segment: Segment, *, used_up: bool) -> Failure | None:
    """`used_up`: whether exactly the cap is too much already, because more would follow."""
    spec = segment.released.spec
    if spec.max_tokens is None and spec.max_cost is None:
        return None
    usages = [*spent(segment.execution.pk), *segment.usages]
    used = _tokens(usages)
    if spec.max_tokens is not None and (used > spec.max_tokens or (used_up and used == spec.max_tokens)):
        return Failure("budget", f"{used} tokens used; the workflow's cap is {spec.max_tokens}.")
    if spec.max_cost is not None:
        return _over_cost(segment, usages, spec.max_cost, "workflow", used_up=used_up)
    return None


def _priced(usage: Usage, unit_id: UUID) -> Usage:
    """As the ledger will have it."""
    costed = cost_of_call(usage, unit_id=unit_id)
    return replace(usage, cost=costed.amount, currency=costed.currency)


def _over_cost(
    segment: Segment, usages: Sequence[Usage], cap: str, whose: str, *, used_up: bool = False
) -> Failure | None:
    if not usages:
        return None
    unit_id = segment.execution.unit_id
    usages = [_priced(usage, unit_id) for usage in usages]
    currency = BusinessUnit.objects.get(pk=unit_id).currency
    if any(usage.cost is None for usage in usages):
        return Failure("budget", f"What a call cost in {currency} is unknown, so the {whose}'s cap cannot be kept.")
    other = next((usage.currency for usage in usages if usage.currency != currency), "")
    if other:
        words = f"A call was paid in {other}, and the {whose}'s cap counts {currency}, its unit's currency"
        return Failure("budget", f"{words}: it cannot be kept.")
    cost = sum((usage.cost for usage in usages if usage.cost is not None), Decimal(0))
    if cost > Decimal(cap) or (used_up and cost == Decimal(cap)):
        return Failure("budget", f"{cost:f} {currency} used; the {whose}'s cap is {cap}.")
    return None


def _tokens(usages: Sequence[Usage]) -> int:
    return sum(usage.input_tokens + usage.output_tokens for usage in usages)
