"""Sums of the ledger as pages show them: per currency, never across; what nobody priced is counted, not added as zero."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum

from budgets.models import CostBasis, LedgerEntryQuerySet, LineKind

FOUR = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Cost:
    """Amounts by currency, tokens, and how many lines have no known price."""

    amounts: tuple[tuple[str, Decimal], ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    lines: int = 0
    unknown: int = 0
    # Lines whose amount we worked out by a price; part of `lines` and of the amounts.
    estimated: int = 0

    @property
    def totals(self) -> list[tuple[str, str, str]]:
        """The sums as somebody holds them against another book: currency, four decimals, and every digit where that is more."""
        return [(currency, _plain(amount.quantize(FOUR)), _plain(amount)) for currency, amount in self.amounts]

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def added(costs: Iterable[Cost]) -> Cost:
    """The sum of several; currencies apart."""
    costs = [cost for cost in costs if cost.lines or cost.amounts]
    if len(costs) < 2:
        return costs[0] if costs else Cost()
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for cost in costs:
        for currency, amount in cost.amounts:
            amounts[currency] += amount
    whole = {name: sum(getattr(cost, name) for cost in costs) for name in _COUNTED}
    return Cost(amounts=tuple(sorted(amounts.items())), **whole)


_COUNTED = ("input_tokens", "output_tokens", "lines", "unknown", "estimated")


def _plain(amount: Decimal) -> str:
    whole, _, digits = f"{amount:f}".partition(".")
    return f"{Decimal(whole):,}.{digits.rstrip('0'):0<2}"


_SUMS = {
    "amount": Sum("amount"),
    "given": Sum("input_tokens"),
    "made": Sum("output_tokens"),
    "lines": Count("id", filter=~Q(kind=LineKind.CORRECTION)),
}
_APART = ("currency", "basis", "is_corrected")


def cost_of(entries: LedgerEntryQuerySet) -> Cost:
    return _folded(entries.with_corrections().order_by().values(*_APART).annotate(**_prefixed()))


def costs_by_execution(entries: LedgerEntryQuerySet) -> dict[UUID, Cost]:
    return _grouped(entries, "execution_id")


def costs_by(entries: LedgerEntryQuerySet, column: str) -> list[tuple[str, Cost]]:
    """Lines of a cost table: by agent, tool or model."""
    return sorted(_grouped(entries, column).items(), key=lambda line: -line[1].tokens)


def _grouped(entries: LedgerEntryQuerySet, column: str) -> dict[Any, Cost]:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in entries.with_corrections().order_by().values(column, *_APART).annotate(**_prefixed()):
        groups[row[column]].append(row)
    return {key: _folded(rows) for key, rows in groups.items()}


def _prefixed() -> dict[str, Any]:
    return {f"sum_{name}": expression for name, expression in _SUMS.items()}


def _folded(rows: Iterable[Any]) -> Cost:
    rows = list(rows)
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["basis"] != CostBasis.UNKNOWN:
            amounts[row["currency"]] += row["sum_amount"]
    return Cost(
        amounts=tuple(sorted(amounts.items())),
        input_tokens=sum(row["sum_given"] for row in rows),
        output_tokens=sum(row["sum_made"] for row in rows),
        lines=sum(row["sum_lines"] for row in rows),
        unknown=sum(row["sum_lines"] for row in rows if row["basis"] == CostBasis.UNKNOWN and not row["is_corrected"]),
        estimated=sum(row["sum_lines"] for row in rows if row["basis"] == CostBasis.ESTIMATED),
    )
