"""What a step may use at most, reserved before it runs; and the steps that wait for room, let go on in turn."""

from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from audit import rounds
from audit.definitions import DefinitionStatus
from budgets import reserving
from budgets.models import Block, BudgetException, BusinessUnit
from budgets.pricing import cost_of_tool_call
from budgets.reserving import Spot, Worst, anything_is_budgeted
from orchestrator.engine.resume import resume_step
from orchestrator.engine.segment import Segment
from orchestrator.gate.judge import WORKFLOW
from orchestrator.models import Step
from orchestrator.statuses import StepStatus


def spot_of(segment: Segment) -> Spot:
    """Whose use a step's is."""
    execution = segment.execution
    return Spot(
        unit_id=execution.unit_id,
        workflow=execution.workflow,
        agent=segment.spec.agent or f"{WORKFLOW}{execution.workflow}",
        requester=execution.requester,
        release=segment.released.digest,
        execution_id=execution.pk,
        holder=segment.fence,
    )


def reserve_for(segment: Segment) -> None:
    """Take room for the worst case of the step. Raises OverBudget, and then no room is taken anywhere."""
    if not anything_is_budgeted() or segment.spec.kind == "approval":
        return
    segment.is_reserved = reserving.reserve(spot_of(segment), _worst(segment))


def _worst(segment: Segment) -> Worst:
    """Its own caps, else the workflow's; of a tool, the price by contract. What names none, the budget assumes."""
    spec, workflow, unit_id = segment.spec, segment.released.spec, segment.execution.unit_id
    tokens, cap = spec.token_budget or workflow.max_tokens, spec.max_cost or workflow.max_cost
    if cap is not None:
        return Worst(money=Decimal(cap), currency=BusinessUnit.objects.get(pk=unit_id).currency, tokens=tokens)
    priced = cost_of_tool_call(spec.tool, unit_id=unit_id) if spec.tool else None
    if priced is None:
        return Worst(tokens=tokens)
    return Worst(money=priced.amount, currency=priced.currency, tokens=tokens)


def forget_ended() -> int:
    """A step that waits for room no longer, cancelled for instance, keeps nobody's turn and needs no exception."""
    found = rounds.due(_ended, 500)
    return _ended().filter(pk__in=found).delete()[0] if found else 0


def _ended() -> QuerySet[Block]:
    return Block.objects.filter(~Exists(Step.objects.filter(pk=OuterRef("pk"), status=StepStatus.BUDGET_HOLD)))


@transaction.atomic
def go_on(step_id: UUID) -> bool:
    """Make it due again; should the room be gone by then, it waits anew, and its next start says why."""
    waits = Step.objects.filter(pk=step_id, status=StepStatus.BUDGET_HOLD).exists()
    if waits:
        resume_step(step_id=step_id, by=reserving.BUDGETS, why=_no_longer_held(step_id))
    return bool(Block.objects.filter(pk=step_id).delete()[0]) and waits


def _no_longer_held(step_id: UUID) -> str:
    """Where two people let it go on, the trail says so, and not that there was room."""
    block = Block.objects.select_related("window").filter(pk=step_id).first()
    let = (
        block
        and BudgetException.objects.filter(
            execution_id=block.execution_id, budget=block.window.budget, status=DefinitionStatus.ACTIVE
        ).first()
    )
    if let:
        return f"exception {let.name}: it goes on over the budget {let.budget} ({let.why})"
    return "the budget has room, began anew, or holds nothing back any more"
