"""What the month, or a budget's window, will come to if it goes on as before, and how sure that is: only the days on record.

A day still to come costs what its weekday cost on average in the last four weeks. The band takes the cheapest and the
dearest of the four for every such day, so it is as wide as the days differ. Corrections of older lines count on their day.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum

from orchestrator.models import Cost

WEEKS = 4
# Before two weeks of days no weekday was seen twice, and nothing is said.
FEWEST_DAYS = 14
NOUGHT = Decimal(0)
PerDay = Mapping[date, Decimal]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Amounts of one currency: spent so far this month, its end, and the burn rate per day of the last four weeks."""

    currency: str
    spent: Decimal
    a_day: Decimal
    days_left: int
    likely: Decimal
    low: Decimal
    high: Decimal


def forecasts(unit_ids: frozenset[UUID], today: date) -> list[Forecast]:
    """For each currency of which enough days are on record, in the order of the alphabet."""
    first = min(today.replace(day=1), today - timedelta(weeks=WEEKS))
    rows = Cost.objects.filter(unit_id__in=unit_ids, day__range=(first, today)).exclude(currency="")
    days: dict[str, dict[date, Decimal]] = {}
    for currency, day, amount in rows.order_by().values_list("currency", "day").annotate(all=Sum("amount")):
        days.setdefault(currency, {})[day] = amount
    found = (forecast(currency, seen, today) for currency, seen in sorted(days.items()))
    return [one for one in found if one is not None]


def forecast(
    currency: str, seen: PerDay, today: date, *, first: date | None = None, last: date | None = None
) -> Forecast | None:
    """Pure. Of this month, or from the first to the last day. None before two weeks are on record.

    The first day that cost anything begins the record.
    """
    first = first or today.replace(day=1)
    last = last or today.replace(day=monthrange(today.year, today.month)[1])
    since = max(min(seen, default=today), today - timedelta(weeks=WEEKS))
    past = [since + timedelta(days=number) for number in range((today - since).days)]
    if len(past) < FEWEST_DAYS:
        return None
    spent = sum((amount for day, amount in seen.items() if first <= day <= last), NOUGHT)
    left = [today + timedelta(days=number) for number in range(1, (last - today).days + 1)]
    alike = [[seen.get(day, NOUGHT) for day in past if day.weekday() == one.weekday()] for one in left]
    return Forecast(
        currency=currency,
        spent=spent,
        a_day=sum((seen.get(day, NOUGHT) for day in past), NOUGHT) / len(past),
        days_left=len(left),
        likely=spent + sum((sum(amounts, NOUGHT) / len(amounts) for amounts in alike), NOUGHT),
        low=spent + sum(map(min, alike), NOUGHT),
        high=spent + sum(map(max, alike), NOUGHT),
    )
