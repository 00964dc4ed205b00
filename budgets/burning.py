"""How a budget's window was used up: by day, and when each threshold was reached. Nothing here says how it will go on."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from audit.actors import Actor
from audit.lifecycle import database_now
from audit.moments import zone_of
from audit.refusals import NotVisible
from budgets.models import BudgetDay, BusinessUnit
from budgets.queries import Standing, standings

# A window that never begins anew is shown by its last days.
MOST_DAYS = 366


class Day(NamedTuple):
    """One day of a window: what it spent, and all that was spent by its end."""

    day: date
    spent: Decimal
    total: Decimal


class Threshold(NamedTuple):
    """A line to be reached, and the first day that ended at or above it."""

    percent: int
    amount: Decimal
    reached: date | None


@dataclass(frozen=True, slots=True)
class Burnt:
    """A window by day, from `first` to `today`; `last` is its last day, None where it never begins anew."""

    standing: Standing
    first: date
    today: date
    last: date | None
    days: list[Day]
    thresholds: list[Threshold]
    # What each day of this budget spent, whichever window it was in: what a forecast goes by.
    seen: dict[date, Decimal]


def burnt(actor: Actor, name: str) -> Burnt:
    """The window of now of a budget in force. Raises NotVisible."""
    standing = next((one for one in standings(actor) if one.budget.name == name), None)
    if standing is None:
        raise NotVisible("There is no such budget in force, or it is not in a business unit you may see.")
    zone, now = _zone(standing), database_now()
    today = now.astimezone(zone).date()
    window = standing.window
    rows = BudgetDay.objects.filter(window__budget=name, day__gt=today - timedelta(days=MOST_DAYS)).order_by("day")
    seen: dict[date, Decimal] = {}
    for day, spent in rows.values_list("day", "spent"):
        seen[day] = seen.get(day, Decimal(0)) + spent
    first, last = _reach(standing, zone, min(seen, default=today), today)
    days = _days(seen, first, today, before=window.spent)
    lines = sorted({*standing.budget.thresholds, 100})
    return Burnt(standing, first, today, last, days, [_threshold(standing, days, one) for one in lines], seen)


def _zone(standing: Standing) -> ZoneInfo:
    if standing.budget.unit_id is None:
        return ZoneInfo("UTC")
    return zone_of(BusinessUnit.objects.values_list("time_zone", flat=True).get(pk=standing.budget.unit_id))


def _reach(standing: Standing, zone: ZoneInfo, earliest: date, today: date) -> tuple[date, date | None]:
    """First and last day. Where nothing has asked for the window yet, it is today and no more is known."""
    window = standing.window
    if standing.begins and window.ends_at is not None:
        return _day(window.starts_at, zone), _day(window.ends_at, zone) - timedelta(days=1)
    return (earliest if standing.begins else today), None


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _days(seen: dict[date, Decimal], first: date, today: date, *, before: Decimal) -> list[Day]:
    """Every day on which something was spent. The last one's total is the window's, whatever was left out before them."""
    counted = {day: spent for day, spent in seen.items() if first <= day <= today}
    total = before - sum(counted.values(), Decimal(0))
    found = []
    for day, spent in sorted(counted.items()):
        total += spent
        found.append(Day(day, spent, total))
    return found


def _threshold(standing: Standing, days: list[Day], percent: int) -> Threshold:
    amount = standing.budget.limit * percent / 100
    return Threshold(percent, amount, next((one.day for one in days if one.total >= amount), None))
