"""The public price catalogue: genai-prices, as the lock file pins it. Nothing is fetched; its updater is never started."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import Any

FULL_RATE = "the catalogue names no rate for batch calls, so the full one counts"


@dataclass(frozen=True, slots=True)
class Found:
    """An amount in USD, the rates it was made with, and what is not certain about it."""

    amount: Decimal
    rates: dict[str, str]
    source: str
    doubt: str = ""


def price(
    *, provider: str, model: str, at: datetime, tokens: dict[str, int | None], is_batch: bool = False
) -> Found | None:
    """What a call of that moment cost by the catalogue, or None when it does not know the model."""
    library = _library()
    usage = library.Usage(**{name: count for name, count in tokens.items() if count is not None})
    asked: dict[str, Any] = {"model_ref": model, "provider_id": provider or None, "genai_request_timestamp": at}
    try:
        plain = library.calc_price(usage, **asked)
        found = library.calc_price(usage, **asked, price_context={"processing": "batch"}) if is_batch else plain
    except (LookupError, ValueError):
        return None
    is_full = is_batch and found.total_price == plain.total_price
    return Found(found.total_price, _rates(found.model_price), source(), FULL_RATE if is_full else "")


def source() -> str:
    """Name and version, as every line and every release keep them."""
    return f"genai-prices {version('genai-prices')}"


@cache
def _library() -> Any:
    """Imported when the first price is asked: it takes 0.2 s and 32 MB, and many a worker never prices anything."""
    import genai_prices  # noqa: PLC0415

    return genai_prices


def _rates(model_price: Any) -> dict[str, str]:
    """Per million tokens, or per thousand, as the catalogue's own names say. Tiers are kept as it writes them."""
    return {name: str(value) for name, value in vars(model_price).items() if value is not None}
