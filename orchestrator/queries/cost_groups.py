"""Sums by one thing between two moments: whole days from the roll-ups, what is left of a day at either end from the ledger."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, Sum

from audit.lifecycle import run
from audit.refusals import Refusal
from budgets.models import CostBasis, LedgerEntry, LedgerEntryQuerySet, LineKind
from orchestrator.models import Cost
from orchestrator.queries import costs

COLUMNS = {"unit": "unit_id", "execution": "execution_id"}
DAY = timedelta(days=1)
MOST_LINES = 100_000
_DEAREST = "SELECT * FROM orchestrator_dearestruns(%s, %s)"
_TOTAL = ("group", "currency", "cost", "calls", "missing", "tokens_in", "tokens_out")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From a moment up to, and without, another one; without a bound where there is none."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_all_time(self) -> bool:
        return self.since is None and self.until is None

    @property
    def days(self) -> tuple[date, date]:
        """The whole days of UTC in it, the last one excluded. Where there is none the second is not after the first."""
        try:
            first = self.since.astimezone(UTC) if self.since else None
            end = self.until.astimezone(UTC).date() if self.until else date.max
            if first is None:
                return date.min, end
            return (first.date() if first.time() == time.min else first.date() + DAY), end
        except OverflowError:  # at the end of the calendar
            return date.max, date.max

    @property
    def ends(self) -> list["Period"]:
        """What is left of it before and after its whole days."""
        first, end = self.days
        bounds = ((self.since, _midnight(first)), (_midnight(end), self.until))
        return [Period(since=since, until=until) for since, until in bounds if since and until and since < until]


class TooManyLines(Refusal):
    """What single executions cost within a period is added up line by line, and so many take seconds."""

    status_code = 400
    code = "too_many_lines"

    def __init__(self) -> None:
        super().__init__(
            f"More than {MOST_LINES:,} cost lines were written between from and to.",
            remedy="Give a shorter period, or neither from nor to: what executions have cost over all time is kept.",
        )


def groups(unit_ids: frozenset[UUID], period: Period, by: str, most: int) -> list[Row]:
    """By currency and group, dearest first, at most so many. Every line counts that was written in the period."""
    column = COLUMNS.get(by, by)
    if by == "execution":
        return _of_executions(unit_ids, period, most)
    lines = LedgerEntry.objects.filter(unit_id__in=unit_ids)
    first, end = period.days
    if first >= end:
        return _sorted(list(_of_lines(_within(lines, period), column)))[:most]
    buckets = Cost.objects.filter(unit_id__in=unit_ids, day__gte=first, day__lt=end)
    found = list(_of_buckets(buckets, column))
    for part in period.ends:
        found += _of_lines(_within(lines, part), column)
    return _sorted(_merged(found))[:most]


def spent(unit_ids: Collection[UUID], period: Period, **narrowed: str) -> costs.Cost:
    """What these units paid in the period, as pages show it; narrowed to an agent, a model or whatever else buckets know."""
    lines = LedgerEntry.objects.filter(unit_id__in=unit_ids, **narrowed)
    first, end = period.days
    if first >= end:
        return costs.cost_of(_within(lines, period))
    buckets = Cost.objects.filter(unit_id__in=unit_ids, day__gte=first, day__lt=end, **narrowed)
    return costs.added([_cost_of_buckets(buckets), *(costs.cost_of(_within(lines, part)) for part in period.ends)])


def _cost_of_buckets(buckets: Any) -> costs.Cost:
    rows = sorted(_of_buckets(buckets, "currency", estimated=Sum("estimated")), key=lambda row: row["currency"])
    names = {
        "input_tokens": "tokens_in",
        "output_tokens": "tokens_out",
        "lines": "calls",
        "unknown": "missing",
        "estimated": "estimated",
    }
    return costs.Cost(
        amounts=tuple((row["currency"], row["cost"]) for row in rows if row["cost"] is not None),
        **{name: sum(row[of] for row in rows) for name, of in names.items()},
    )


def _of_executions(unit_ids: frozenset[UUID], period: Period, most: int) -> list[Row]:
    """Over all time by their totals; within a period by the lines written in it: roll-ups know no single execution."""
    if period.is_all_time:
        return [dict(zip(_TOTAL, row, strict=True)) for row in run(_DEAREST, [list(unit_ids), most])]
    lines = _within(LedgerEntry.objects.filter(unit_id__in=unit_ids), period)
    if lines[: MOST_LINES + 1].count() > MOST_LINES:
        raise TooManyLines
    return list(_of_lines(lines, "execution_id").order_by(F("cost").desc(nulls_last=True), "group")[:most])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _within(lines: LedgerEntryQuerySet, period: Period) -> LedgerEntryQuerySet:
    bounds = {"at__gte": period.since, "at__lt": period.until}
    return lines.filter(**{name: moment for name, moment in bounds.items() if moment})


def _of_lines(lines: LedgerEntryQuerySet, column: str) -> Any:
    return (
        lines.with_corrections()
        .order_by()
        .values("currency", group=F(column))
        .annotate(
            cost=Sum("amount"),
            tokens_in=Sum("input_tokens"),
            tokens_out=Sum("output_tokens"),
            calls=Count("id", filter=~Q(kind=LineKind.CORRECTION)),
            missing=Count("id", filter=Q(amount=None, is_corrected=False)),
        )
    )


def _of_buckets(buckets: Any, column: str, **more: Any) -> Any:
    return (
        buckets.order_by()
        .values("currency", group=F(column))
        .annotate(
            cost=Sum("amount", filter=~Q(basis=CostBasis.UNKNOWN)),
            tokens_in=Sum("input_tokens"),
            tokens_out=Sum("output_tokens"),
            calls=Sum("lines"),
            missing=Sum("unknown"),
            **more,
        )
    )


def _merged(rows: list[Row]) -> list[Row]:
    found: dict[tuple[str, Any], Row] = {}
    for row in rows:
        key = (row["currency"], row["group"])
        found[key] = _added(found[key], row) if key in found else row
    return list(found.values())


def _added(one: Row, other: Row) -> Row:
    costs = [row["cost"] for row in (one, other) if row["cost"] is not None]
    numbers = {name: one[name] + other[name] for name in ("tokens_in", "tokens_out", "calls", "missing")}
    return one | numbers | {"cost": sum(costs, Decimal(0)) if costs else None}


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["cost"] is None, -(row["cost"] or Decimal(0)), row["group"]))
