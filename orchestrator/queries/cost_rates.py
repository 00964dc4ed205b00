"""By which rates a model's calls were estimated: one line of the ledger per time that is compared, looked up on its day."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.db import connection

from budgets.models import LineKind
from orchestrator.queries.cost_parts import OnRecord, Rates

SIDES = ("before", "now")
# What contract prices and the catalogue call the rate of each kind of token.
NAMES = {
    "input": ("input", "input_mtok"),
    "cached": ("cached_input", "cache_read_mtok"),
    "output": ("output", "output_mtok"),
}
# A rate that rises with the size of a call is kept as the catalogue writes it: its first tier is what most calls pay.
TIERS = re.compile(r"base=Decimal\('([^']+)'\)")
# A day of a unit is read from its end, until a line of the model is met. What a batch cost is no rate of other calls.
LATEST = """
SELECT wanted.place, line.rates FROM unnest(%s::int[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
  AS wanted (place, unit_id, provider, model, currency, since)
CROSS JOIN LATERAL (
  SELECT rates FROM budgets_ledgerentry AS line
  WHERE line.unit_id = wanted.unit_id AND line.at >= wanted.since AND line.at < wanted.since + interval '1 day'
    AND line.kind = 'model' AND line.basis = 'estimated' AND NOT line.is_batch
    AND line.provider = wanted.provider AND line.model = wanted.model AND line.currency = wanted.currency
  ORDER BY line.at DESC LIMIT 1) AS line
"""


class Priced(NamedTuple):
    """What has a price of its own: a unit may have its own contract."""

    unit_id: UUID
    currency: str
    provider: str
    model: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        return cls(*(row[name] for name in cls._fields))


def rates_of(rows: Iterable[dict[str, Any]]) -> dict[Priced, OnRecord]:
    """Of every model that was called in both times and priced by its tokens before. One statement, however many they are."""
    days: dict[Priced, dict[str, date]] = defaultdict(dict)
    for row in rows:
        for side in SIDES if row["kind"] == LineKind.MODEL else ():
            if last := row[f"{side}_estimated"]:
                known = days[Priced.of(row)]
                known[side] = max(known.get(side, last), last)
    wanted = [(one, side, day) for one, known in days.items() if "before" in known for side, day in known.items()]
    found: dict[Priced, dict[str, Rates | None]] = defaultdict(dict)
    for place, kept in _latest(wanted):
        one, side, _ = wanted[place]
        found[one][side] = rates_in(kept)
    return {one: OnRecord(**sides) for one, sides in found.items()}


def rates_in(kept: dict[str, str]) -> Rates | None:
    """None where a line's rates are not about tokens. What is read from a cache costs like input, where nobody says otherwise."""
    found = {kind: _rate(kept, names) for kind, names in NAMES.items()}
    if found["input"] is None or found["output"] is None:
        return None
    cached = found["input"] if found["cached"] is None else found["cached"]
    return Rates(found["input"], cached, found["output"])


def _rate(kept: dict[str, str], names: tuple[str, ...]) -> Decimal | None:
    text = next((kept[name] for name in names if name in kept), "")
    tiers = TIERS.search(text)
    try:
        return Decimal(tiers.group(1) if tiers else text)
    except InvalidOperation:
        return None


def _latest(wanted: list[tuple[Priced, str, date]]) -> list[tuple[int, dict[str, str]]]:
    if not wanted:
        return []
    columns = [
        list(range(len(wanted))),
        *([getattr(one, name) for one, _, _ in wanted] for name in ("unit_id", "provider", "model", "currency")),
        [datetime.combine(day, time.min, UTC) for _, _, day in wanted],
    ]
    with connection.cursor() as cursor:
        cursor.execute(LATEST, columns)
        return [(place, json.loads(rates)) for place, rates in cursor.fetchall()]
