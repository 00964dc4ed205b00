"""The ledger lines behind a figure. What they come to, how many they are and on which days they lie, the roll-ups know.

So the ledger itself is read only for the days of the page that is shown, however many lines the figure sums up.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Subquery, Sum

from audit.queries import PAGE_SIZE, Keyset, Slice
from audit.refusals import Refusal
from budgets.models import CostBasis, LedgerEntry, LedgerEntryQuerySet, LineKind
from orchestrator.models import Cost as Bucket
from orchestrator.models import Execution
from orchestrator.queries.cost_report import OF_THE_EXECUTION, OF_THE_LINE, Span
from orchestrator.queries.costs import Cost

NEWEST_FIRST = Keyset(("-at", "-id"))
DAY = timedelta(days=1)
# From here on a page of fifty is found among at most a hundredth of so many lines, if they lie as evenly as lines do.
MANY = 5_000
MOST_IN_A_FILE = 100_000
SUMS = ("amount", "lines", "unknown", "estimated", "input_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class Lines:
    """One page of them, how many there are in all, and what all of them come to."""

    listing: Slice
    number: int
    cost: Cost


def lines(span: Span, chosen: Mapping[str, str], *, after: str = "", before: str = "") -> Lines:
    """Those of these days, units and values. An empty value is one, too."""
    buckets = _buckets(span, chosen)
    if not buckets:
        return Lines(Slice([]), 0, Cost())
    cost = _cost(buckets)
    behind = _behind(span, chosen, many=cost.lines >= MANY)
    corrections = 0
    if any(row["kind"] == LineKind.CORRECTION for row in buckets):
        corrections = behind.filter(corrects__isnull=False).count()
    shown = _within(behind, _window(_per_day(buckets), after, before))
    return Lines(NEWEST_FIRST.slice(shown, after=after, before=before), cost.lines + corrections, cost)


class TooMany(Refusal):
    """More lines than a file holds: nobody waits for five million rows to find out that no spreadsheet opens them."""

    code = "too_many_lines"


def every(span: Span, chosen: Mapping[str, str]) -> Iterator[LedgerEntry]:
    """All of them, newest first, read as they are asked for. Raises TooMany before the first."""
    buckets = _buckets(span, chosen)
    number = _cost(buckets).lines
    if number > MOST_IN_A_FILE:
        raise TooMany(
            f"{number:,} lines are behind this number, and a file holds {MOST_IN_A_FILE:,}.",
            remedy="Choose fewer days, one unit or one workflow.",
        )
    return _behind(span, chosen, many=number >= MANY).order_by("-at", "-id").iterator(chunk_size=2_000)


def _buckets(span: Span, chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: Any = Bucket.objects.filter(unit_id__in=span.unit_ids, day__range=(span.since, span.until))
    rows = rows.filter(**{name: chosen[name] for name in (*OF_THE_LINE, *OF_THE_EXECUTION) if name in chosen})
    sums = {f"sum_{name}": Sum(name) for name in SUMS}
    return list(rows.order_by().values("day", "kind", "currency", "basis").annotate(**sums))


def _cost(buckets: list[dict[str, Any]]) -> Cost:
    amounts: Counter[str] = Counter()
    for row in buckets:
        if row["basis"] != CostBasis.UNKNOWN:
            amounts[row["currency"]] += row["sum_amount"]
    counted = {name: sum(row[f"sum_{name}"] for row in buckets) for name in SUMS if name != "amount"}
    return Cost(amounts=tuple(sorted((name, Decimal(amount)) for name, amount in amounts.items())), **counted)


def _per_day(buckets: list[dict[str, Any]]) -> Counter[date]:
    """At least so many lines lie on each day: corrections are not counted there, and are one or more."""
    found: Counter[date] = Counter()
    for row in buckets:
        found[row["day"]] += 1 if row["kind"] == LineKind.CORRECTION else row["sum_lines"]
    return found


def _window(days: Counter[date], after: str, before: str) -> tuple[date, date]:
    """The first and the last day that the page and the line behind it can lie on."""
    newer = NEWEST_FIRST.place(before)
    older = None if newer else NEWEST_FIRST.place(after)
    start = _day(newer or older)
    ordered = sorted(days, reverse=newer is None)
    if start is not None:
        # Some lines of the day of the cursor are on the other side of it: none of them is counted on.
        ordered = [day for day in ordered if (day > start if newer else day < start)]
    seen, end = 0, start or ordered[0]
    for day in ordered:
        end, seen = day, seen + days[day]
        if seen > PAGE_SIZE:
            break
    first = start or ordered[0]
    return min(first, end), max(first, end)


def _day(place: list[Any] | None) -> date | None:
    return place[0].astimezone(UTC).date() if place and isinstance(place[0], datetime) else None


def _within(rows: LedgerEntryQuerySet, days: tuple[date, date]) -> LedgerEntryQuerySet:
    first, last = (datetime.combine(day, time.min, UTC) for day in (days[0], days[1] + DAY))
    return rows.filter(at__gte=first, at__lt=last)


def _behind(span: Span, chosen: Mapping[str, str], *, many: bool) -> LedgerEntryQuerySet:
    """Those lines. Where there are many, each line of the days is asked for its execution until the page is full.

    Where there are few, that would read a thousand lines for each one found: then their executions are found first.
    """
    rows = _within(LedgerEntry.objects.filter(unit_id__in=span.unit_ids), (span.since, span.until))
    rows = rows.filter(**{name: chosen[name] for name in OF_THE_LINE if name in chosen})
    for name, column in OF_THE_EXECUTION.items():
        if name == "release" and chosen.get(name) and not _is_id(chosen[name]):
            rows = rows.none()
        elif chosen.get(name) and many:
            # A scalar, which PostgreSQL does not turn into the join of the other way.
            said = Execution.objects.filter(pk=OuterRef("execution_id")).values(column)[:1]
            rows = rows.alias(**{f"said_{name}": Subquery(said)}).filter(**{f"said_{name}": chosen[name]})
        elif chosen.get(name):
            rows = rows.filter(execution_id__in=Execution.objects.filter(**{column: chosen[name]}).values("pk"))
        elif name in chosen:
            rows = rows.filter(~Exists(Execution.objects.filter(pk=OuterRef("execution_id"))))
    return rows


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
