"""What did it cost? The one answer: as reported, or estimated by a price that is named, or unknown with the reason.

Contract prices come first, the nearest unit's before its parents', then the public catalogue. Every rate used is kept
with the line. Arithmetic is Decimal and rounds once (budgets.money).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from audit.lifecycle import database_now
from budgets import catalogue
from budgets.models import CostBasis, Price, PriceKind
from budgets.money import MOST, to_ledger
from budgets.units import lineage

MILLION = Decimal(1_000_000)
# By hand, as every call that is reported asks it: composed anew it took an eighth of the report.
_IN_FORCE = """
SELECT * FROM budgets_price
WHERE status = 'active' AND kind = %(kind)s AND subject = %(subject)s AND provider IN ('', %(provider)s)
  AND valid_from <= coalesce(%(at)s, statement_timestamp())
  AND (valid_until IS NULL OR valid_until > coalesce(%(at)s, statement_timestamp()))
ORDER BY valid_from DESC, id DESC
"""
UNCACHED = "cached input tokens were not reported, so all input counts at the full rate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call used. `cost` None means nobody said.

    `input_tokens` are all of them, those read from and written to a cache included; `output_tokens` include reasoning (as
    in OpenTelemetry's GenAI conventions). A part is None when nobody said how large it is.
    """

    cost: Decimal | None = None
    currency: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    model: str = ""
    provider: str = ""
    is_batch: bool = False
    # How the model was called; kept with the line, and no part of its price.
    call: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.cost is None and not (self.input_tokens or self.output_tokens)


@dataclass(frozen=True, slots=True)
class Costed:
    """An amount with where it comes from; None means unknown. `rates` are decimals as text, by the name of the rate."""

    amount: Decimal | None
    currency: str
    basis: CostBasis
    rates: dict[str, str] = field(default_factory=dict)
    priced_by: str = ""
    why: str = ""


def cost_of_call(usage: Usage, *, unit_id: UUID, at: datetime | None = None) -> Costed:
    """The cost of a model call made at that moment, by default now."""
    if usage.cost is not None:
        return _costed(usage.cost, usage.currency, CostBasis.REPORTED)
    if not usage.model:
        return _unknown("neither a cost nor a model was reported")
    price = _contract(PriceKind.MODEL, usage.model, unit_id=unit_id, at=at, provider=usage.provider)
    if price is not None:
        return _by_contract(usage, price)
    found = catalogue.price(
        provider=usage.provider,
        model=usage.model,
        at=at or database_now(),
        tokens={
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        is_batch=usage.is_batch,
    )
    if found is None:
        return _unknown(f"no price is known for “{usage.model}”: an administrator can enter the contract's")
    doubts = [_doubt(usage), found.doubt]
    why = "; ".join(filter(None, doubts))
    return _costed(found.amount, "USD", CostBasis.ESTIMATED, found.rates, found.source, why)


def cost_of_tool_call(tool: str, *, unit_id: UUID) -> Costed | None:
    """What the contract says a call costs; None where it says nothing: tools are free until somebody enters a price."""
    price = _contract(PriceKind.TOOL, tool, unit_id=unit_id)
    return None if price is None else _estimate(price, price.per_call)


def cost_of_review(seconds: int, *, unit_id: UUID) -> Costed | None:
    """What so much of a reviewer's time costs; None where nobody entered a price for it."""
    price = _contract(PriceKind.REVIEW, "", unit_id=unit_id)
    return None if price is None else _estimate(price, price.per_hour * seconds / 3600)


def _by_contract(usage: Usage, price: Price) -> Costed:
    cached, written = usage.cached_input_tokens or 0, usage.cache_write_tokens or 0
    plain = usage.input_tokens - cached - written
    total = (
        plain * price.input
        + cached * _or(price.cached_input, price.input)
        + written * _or(price.cache_write, price.input)
        + usage.output_tokens * price.output
    ) / MILLION
    doubts = [_doubt(usage) if price.cached_input is not None else ""]
    if usage.is_batch and price.batch_percent is not None:
        total = total * price.batch_percent / 100
    elif usage.is_batch:
        doubts.append("the contract names no rate for batch calls, so the full one counts")
    return _estimate(price, total, "; ".join(filter(None, doubts)))


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate


def _estimate(price: Price, amount: Decimal, why: str = "") -> Costed:
    rates = {name: f"{value:f}" if isinstance(value, Decimal) else str(value) for name, value in price.rates.items()}
    return _costed(amount, price.currency, CostBasis.ESTIMATED, rates, f"contract price {price}", why)


def _costed(amount: Decimal, currency: str, basis: CostBasis, *more: Any) -> Costed:
    """Beyond what the ledger holds is a mistake in what was reported or in a price: nobody's work is lost over it."""
    if amount > MOST:
        return _unknown(f"{amount:.0f} {currency} is more than a line can hold")
    return Costed(to_ledger(amount), currency, basis, *more)


def _unknown(why: str) -> Costed:
    return Costed(None, "", CostBasis.UNKNOWN, why=why)


def _doubt(usage: Usage) -> str:
    return UNCACHED if usage.cached_input_tokens is None and usage.input_tokens else ""


def _contract(
    kind: PriceKind, subject: str, *, unit_id: UUID, at: datetime | None = None, provider: str = ""
) -> Price | None:
    """The price in force at that moment, by default now: the nearest unit's, of this provider before any, the last begun."""
    asked = {"kind": kind, "subject": subject, "provider": provider, "at": at}
    found = list(Price.objects.raw(_IN_FORCE, asked))
    distance = _distances(unit_id, found)
    reach = [price for price in found if price.unit_id in distance]
    return min(reach, key=lambda price: (distance[price.unit_id], not price.provider), default=None)


def _distances(unit_id: UUID, prices: list[Price]) -> Mapping[Any, int]:
    """How far above the unit each price's own unit stands; one for every unit is the farthest."""
    units: list[Any] = lineage(unit_id) if any(price.unit_id for price in prices) else []
    return {unit: number for number, unit in enumerate([*units, None])}
