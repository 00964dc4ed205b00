"""Numbers, money, durations and times as people read them. Pure: the clock is an argument, floats are no money."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import NamedTuple

UNKNOWN = "unknown"
CENT = Decimal("0.01")
MINUS = "\u2212"
# Currencies whose smallest unit is not a hundredth.
DIGITS = {"JPY": 0, "KRW": 0, "ISK": 0, "VND": 0, "CLP": 0, "BHD": 3, "KWD": 3, "JOD": 3, "OMR": 3, "TND": 3}


class Money(NamedTuple):
    """What is shown, and the exact value where the shown one was rounded (else empty)."""

    shown: str
    exact: str


def money(amount: Decimal | int | str | None, currency: str) -> Money:
    """`EUR 4,860.00`; four significant decimals below a cent, or a yen; the exact value beside anything rounded."""
    if isinstance(amount, float):
        raise TypeError("money is Decimal, never float")
    value = _decimal(amount)
    if value is None:
        return Money(UNKNOWN if amount is None else str(amount), "")
    shown = _rounded(value, currency)
    exact = "" if shown == value else f"{currency} {_plain(value)}".strip()
    return Money(f"{currency} {_plain(shown)}".strip(), exact)


def count(number: int | None) -> str:
    """`12,940`; a missing number is unknown, not nought."""
    return UNKNOWN if number is None else f"{number:,}".replace("-", MINUS)


def counted_in(amount: Decimal, measure: str) -> str:
    """`runs`, and `run` for one of them."""
    return measure.removesuffix("s") if amount == 1 else measure


def duration(value: timedelta | float | None) -> str:
    """`840 ms`, `4.2 s`, `3 min 12 s`, `2 h 05`, `3 d 4 h`."""
    if value is None:
        return UNKNOWN
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    sign, seconds = (MINUS, -seconds) if seconds < 0 else ("", seconds)
    return sign + _span(seconds)


def size(octets: int) -> str:
    """`512 B`, `4.0 KB`, `1.5 MB`."""
    if octets < 1000:
        return f"{octets} B"
    return f"{octets / 1000:.1f} KB" if octets < 1_000_000 else f"{octets / 1_000_000:.1f} MB"


def percentage(value: Decimal | float) -> str:
    """`81.0 %`."""
    return f"{value:,.1f} %".replace("-", MINUS)


def distance(moment: datetime, now: datetime) -> str:
    """`in 12 min`, `3 min ago`, `now`: minutes matter, seconds only in the last one. app.js says the same words."""
    seconds = int((moment - now).total_seconds())
    if seconds == 0:
        return "now"
    words = _coarse(abs(seconds))
    return f"in {words}" if seconds > 0 else f"{words} ago"


def urgency(moment: datetime, now: datetime) -> str:
    """The tone of a due time: it changes 15 and 5 minutes before, and at zero."""
    left = moment - now
    if left <= timedelta(0):
        return "critical"
    if left <= timedelta(minutes=5):
        return "danger"
    return "wait" if left <= timedelta(minutes=15) else "neutral"


def rough(seconds: float) -> str:
    """A span that does not flicker: `under 1 s`, `14 s`, `3 min`, `26 h`, `3 d`."""
    if seconds < 60:
        return f"{int(seconds)} s" if seconds >= 1 else "under 1 s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    return f"{int(seconds // 3600)} h" if seconds < 2 * 86400 else f"{int(seconds // 86400)} d"


def remaining(moment: datetime, now: datetime) -> str:
    """`in 1 h 12 min`, or `overdue by 3 min` once it has passed."""
    seconds = int((moment - now).total_seconds())
    return f"in {_coarse(seconds)}" if seconds > 0 else f"overdue by {_coarse(-seconds)}"


def utc(moment: datetime) -> str:
    """`2026-11-21 10:39:58 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC, for machines."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def clock(local: datetime, now: datetime, *, seconds: bool = True) -> str:
    """The shortest absolute time that is still unambiguous: today's need no date, this year's no year."""
    if local.date() == now.date():
        return local.strftime("%H:%M:%S" if seconds else "%H:%M")
    return f"{day(local, now)} {local:%H:%M}"


def day(local: datetime, now: datetime) -> str:
    return f"{local.day} {local:%b}" if local.year == now.year else f"{local.day} {local:%b %Y}"


def _decimal(amount: Decimal | int | str | None) -> Decimal | None:
    try:
        value = Decimal(amount) if amount is not None else None
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() else None


def _rounded(value: Decimal, currency: str) -> Decimal:
    step = Decimal(1).scaleb(-DIGITS.get(currency, 2))
    if value and abs(value) < max(step, CENT):
        return Context(prec=4, rounding=ROUND_HALF_UP).create_decimal(value)
    return value.quantize(step, rounding=ROUND_HALF_UP, context=Context(prec=60))


def _plain(value: Decimal) -> str:
    return f"{value:,f}".replace("-", MINUS)


def _span(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def _coarse(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 1440:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
