"""Verbs on money: today, writing a cost line. Reservations and limits join it with budgets."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from budgets.models import CostBasis, LedgerEntry


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used. `cost` None means nobody said: the entry is `unknown`, not zero."""

    cost: Decimal | None = None
    currency: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""

    @property
    def is_empty(self) -> bool:
        return self.cost is None and not (self.input_tokens or self.output_tokens)


def spent(execution_id: UUID) -> list[Usage]:
    """Every cost line of one execution so far."""
    return [
        Usage(
            cost=line.amount, currency=line.currency, input_tokens=line.input_tokens, output_tokens=line.output_tokens
        )
        for line in LedgerEntry.objects.filter(execution_id=execution_id)
    ]


def charge(
    usage: Usage, *, unit_id: UUID, execution_id: UUID | None, action_id: UUID | None, agent: str, tool: str
) -> LedgerEntry | None:
    """Append the cost line of one call; None when it used nothing worth a line."""
    if usage.is_empty:
        return None
    return LedgerEntry.objects.create(
        unit_id=unit_id,
        execution_id=execution_id,
        action_id=action_id,
        agent=agent,
        tool=tool,
        model=usage.model,
        amount=usage.cost,
        currency=usage.currency if usage.cost is not None else "",
        basis=CostBasis.UNKNOWN if usage.cost is None else CostBasis.REPORTED,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
    )
