"""The only arithmetic on money and the only rounding: Decimal, ten places in the ledger, half to even (ISO 80000-1)."""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

PLACES = 10
LEDGER_STEP = Decimal(1).scaleb(-PLACES)


class BadAmount(ValueError):
    """The text is not an exact decimal amount."""


def to_ledger(amount: Decimal) -> Decimal:
    """Round once, at the ledger's door."""
    return amount.quantize(LEDGER_STEP, rounding=ROUND_HALF_EVEN)


def parse_amount(text: object) -> Decimal:
    """An exact amount from text or an integer. Floats are refused: they were rounded before we saw them."""
    if isinstance(text, bool) or not isinstance(text, (str, int)):
        raise BadAmount(f'{text!r} is not a decimal string such as "12.50"')
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadAmount(f'{text!r} is not a decimal string such as "12.50"') from None
    if not amount.is_finite() or abs(amount) >= Decimal("1E10"):
        raise BadAmount(f"{text!r} is out of range")
    return to_ledger(amount)
