"""Room for one call, taken in the transaction that redeems it, and given back in the one that reports it."""

from budgets import reserving
from budgets.pricing import cost_of_tool_call
from budgets.reserving import Spot, Worst, anything_is_budgeted
from orchestrator.gate.propose import WORKFLOW
from orchestrator.models import Action, Execution


def reserve_for(action: Action) -> None:
    """Take room for what the call costs at most. Raises OverBudget. The step of our own that makes it may have done so.

    A step that is nothing but this call has. An agent's step has for its model calls, so its tools take their price.
    """
    if not anything_is_budgeted() or (action.step_id and action.agent.startswith(WORKFLOW)):
        return
    priced = cost_of_tool_call(action.tool, unit_id=action.unit_id)
    is_foreign = action.step_id is None
    reserving.reserve(
        spot_of(action),
        Worst(
            money=priced.amount if priced else None,
            currency=priced.currency if priced else "",
            runs=int(is_foreign),
            assume=is_foreign,
        ),
    )


def release(action: Action, *, ran: bool) -> None:
    """Of a call of a foreign agent; what our own steps hold goes with their attempt."""
    if action.step_id is None and action.fence is not None:
        reserving.release(action.fence, ran=ran)


def spot_of(action: Action) -> Spot:
    """Whose use a call's is."""
    return Spot(
        unit_id=action.unit_id,
        workflow=workflow_of(action),
        agent=action.agent,
        requester=action.requester,
        execution_id=action.execution_id,
        holder=action.fence,
    )


def workflow_of(action: Action) -> str:
    """The workflow it belongs to, or "". Looked up only while there is a budget that might ask."""
    if action.step_id is None or action.execution_id is None or not anything_is_budgeted():
        return ""
    return Execution.objects.filter(pk=action.execution_id).values_list("workflow", flat=True).first() or ""
