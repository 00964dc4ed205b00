"""The only arithmetic on money and the only rounding: Decimal, ten places in the ledger, half to even (ISO 80000-1)."""

import re
from decimal import ROUND_HALF_EVEN, Decimal

PLACES = 10
LEDGER_STEP = Decimal(1).scaleb(-PLACES)
# What a line can hold.
MOST = Decimal(10**10) - LEDGER_STEP


def is_currency(text: str) -> bool:
    """Written as ISO 4217 writes them; whether there is such a one is not asked."""
    return bool(re.fullmatch(r"[A-Z]{3}", text))


def to_ledger(amount: Decimal) -> Decimal:
    """Round once, at the ledger's door."""
    return amount.quantize(LEDGER_STEP, rounding=ROUND_HALF_EVEN)
