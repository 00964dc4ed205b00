"""Room for one call, taken in the transaction that redeems it, and given back in the one that reports it."""

from uuid import UUID

from audit.actors import Actor
from budgets import reserving
from budgets.operations import Place
from budgets.pricing import cost_of_tool_call
from budgets.queries import is_shown
from budgets.reserving import NOBODY, OverBudget, Spot, Whose, Worst, anything_is_budgeted
from orchestrator.gate.judge import WORKFLOW
from orchestrator.models import Action, Execution


def reserve_for(action: Action, by: Actor) -> None:
    """Take room for what the call costs at most. Raises OverBudget. The step of our own that makes it may have done so.

    A step that is nothing but this call has. An agent's step has for its model calls, so its tools take their price.
    An agent is told no figures of a budget that it cannot read: they are what other units use.
    """
    if not anything_is_budgeted() or (action.step_id and action.agent.startswith(WORKFLOW)):
        return
    priced = cost_of_tool_call(action.tool, unit_id=action.unit_id)
    is_foreign = action.step_id is None
    worst = Worst(
        money=priced.amount if priced else None,
        currency=priced.currency if priced else "",
        runs=int(is_foreign),
        assume=is_foreign,
    )
    try:
        reserving.reserve(spot_of(action), worst)
    except OverBudget as over:
        if by.kind != "agent" or is_shown(over.window, by):
            raise
        raise OverBudget(over.window, over.needed, figures=False) from None


def release(action: Action, *, ran: bool) -> None:
    """Of a call of a foreign agent; what our own steps hold goes with their attempt."""
    if action.step_id is None and action.fence is not None:
        reserving.release(action.fence, ran=ran)


def spot_of(action: Action) -> Spot:
    """Whose use a call's is."""
    run = run_of(action.execution_id, action.unit_id)
    return Spot(
        unit_id=action.unit_id,
        workflow=run.workflow,
        release=run.release,
        agent=action.agent,
        requester=action.requester,
        execution_id=action.execution_id,
        holder=action.fence,
    )


def place_of(action: Action) -> Place:
    """Where the cost of a call belongs."""
    run = run_of(action.execution_id, action.unit_id)
    return Place(
        unit_id=action.unit_id,
        execution_id=action.execution_id,
        action_id=action.pk,
        agent=action.agent,
        tool=action.tool,
        workflow=run.workflow,
        release=run.release,
        requester=action.requester,
        holder=action.fence,
    )


def run_of(execution_id: UUID | None, unit_id: UUID) -> Whose:
    """Of an execution of this unit: nobody spends in the name of another's. Looked up only while a budget might ask."""
    if execution_id is None or not anything_is_budgeted():
        return NOBODY
    rows = Execution.objects.filter(pk=execution_id, unit_id=unit_id)
    found = rows.values_list("workflow", "requester", "release__digest").first()
    return Whose(*found) if found else NOBODY
