"""Sums by one thing between two moments: whole days from the roll-ups, what is left of a day at either end from the ledger."""

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

COLUMNS = {"unit": "unit_id", "execution": "execution_id"}
DAY = timedelta(days=1)
MOST_LINES = 200_000
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
        return _sorted(list(_of_lines(_between(lines, period.since, period.until), column)))[:most]
    buckets = Cost.objects.filter(unit_id__in=unit_ids, day__gte=first, day__lt=end)
    found = list(_of_buckets(buckets, column))
    for since, until in ((period.since, _midnight(first)), (_midnight(end), period.until)):
        if since and until and since < until:
            found += _of_lines(_between(lines, since, until), column)
    return _sorted(_merged(found))[:most]


def _of_executions(unit_ids: frozenset[UUID], period: Period, most: int) -> list[Row]:
    """Over all time by their totals; within a period by the lines written in it: roll-ups know no single execution."""
    if period.is_all_time:
        return [dict(zip(_TOTAL, row, strict=True)) for row in run(_DEAREST, [list(unit_ids), most])]
    lines = _between(LedgerEntry.objects.filter(unit_id__in=unit_ids), period.since, period.until)
    if lines[: MOST_LINES + 1].count() > MOST_LINES:
        raise TooManyLines
    return list(_of_lines(lines, "execution_id").order_by(F("cost").desc(nulls_last=True), "group")[:most])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _between(lines: LedgerEntryQuerySet, since: datetime | None, until: datetime | None) -> LedgerEntryQuerySet:
    bounds = {"at__gte": since, "at__lt": until}
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


def _of_buckets(buckets: Any, column: str) -> Any:
    return (
        buckets.order_by()
        .values("currency", group=F(column))
        .annotate(
            cost=Sum("amount", filter=~Q(basis=CostBasis.UNKNOWN)),
            tokens_in=Sum("input_tokens"),
            tokens_out=Sum("output_tokens"),
            calls=Sum("lines"),
            missing=Sum("unknown"),
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
