"""Who pays, for what: sums over the roll-ups by one or two dimensions. Currencies stay apart.

The page and the file ask here, so they cannot disagree. A day is a day of UTC for every unit.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from budgets.models import BusinessUnit, LineKind
from orchestrator.models import Cost, Release
from orchestrator.queries.days import before, named

# What sums may be grouped by: its column in the roll-ups, and what a person calls it.
DIMENSIONS = {
    "unit": ("unit_id", "Unit"),
    "workflow": ("workflow", "Workflow"),
    "release": ("release", "Release"),
    "requester": ("requester", "Asked for by"),
    "agent": ("agent", "Agent"),
    "provider": ("provider", "Provider"),
    "model": ("model", "Model"),
    "tool": ("tool", "Tool"),
    "kind": ("kind", "Kind of line"),
    "basis": ("basis", "How it is known"),
    "day": ("day", "Day"),
}
OF_THE_LINE = ("agent", "provider", "model", "tool", "kind", "basis", "currency")
OF_THE_EXECUTION = {"workflow": "workflow", "release": "release_id", "requester": "requester"}
SUMS = ("amount", "lines", "unknown", "input_tokens", "output_tokens")
NOUGHT = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days from the first to the last one, both included, in these units."""

    unit_ids: frozenset[UUID]
    since: date
    until: date

    @property
    def before(self) -> "Span":
        """What it is compared with."""
        since, until = before(self.since, self.until)
        return Span(unit_ids=self.unit_ids, since=since, until=until)

    @property
    def called(self) -> str:
        """`1 to 28 Nov 2026`."""
        return named(self.since, self.until)

    @property
    def days(self) -> Q:
        return Q(day__range=(self.since, self.until))


@dataclass(frozen=True, slots=True)
class Sums:
    """What the lines of one group come to. `unknown` lines are in no amount."""

    amount: Decimal = NOUGHT
    lines: int = 0
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUMS))


@dataclass(frozen=True, slots=True)
class Row:
    """One group: its values as the roll-ups keep them, what they are called, its sums, and what it cost before."""

    values: tuple[str, ...]
    names: tuple[str, ...]
    sums: Sums
    before: Decimal


@dataclass(frozen=True, slots=True)
class Table:
    """The groups of one currency, dearest first, and what all of it cost before. No currency: lines whose cost nobody knows."""

    currency: str
    rows: list[Row]
    before: Decimal

    @property
    def total(self) -> Sums:
        return sum((row.sums for row in self.rows), Sums())


def report(span: Span, by: tuple[str, ...]) -> list[Table]:
    """One table per currency. What cost something before and nothing now has its row, too, but for days: each is its own."""
    columns = [DIMENSIONS[name][0] for name in by]
    found = list(_sums(span, columns))
    names = _names(by, found, columns)
    tables: dict[str, list[Row]] = {}
    was: Counter[str] = Counter()
    for one in found:
        sums, before = Sums(*(one[f"now_{name}"] for name in SUMS)), one["before"]
        was[one["currency"]] += before
        if sums != Sums() or (before and "day" not in by):
            values = tuple(str(one[column]) for column in columns)
            called = tuple(names.get((name, value), value) for name, value in zip(by, values, strict=True))
            tables.setdefault(one["currency"], []).append(Row(values, called, sums, before))
    ordered = sorted(tables.items(), key=_known_first)
    return [Table(currency, sorted(rows, key=_dearest), Decimal(was[currency])) for currency, rows in ordered]


def _sums(span: Span, columns: list[str]) -> Any:
    now, earlier = span.days, span.before.days
    return (
        Cost.objects.filter(now | earlier, unit_id__in=span.unit_ids)
        .order_by()
        .values("currency", *columns)
        .annotate(
            **{f"now_{name}": Coalesce(Sum(name, filter=now), 0, output_field=field_of(name)) for name in SUMS},
            before=Coalesce(Sum("amount", filter=earlier), 0, output_field=field_of("amount")),
        )
    )


def field_of(name: str) -> Any:
    return Cost._meta.get_field(name)


def _dearest(row: Row) -> tuple[Any, ...]:
    return (-row.sums.amount, -row.sums.tokens, row.values)


def _known_first(table: tuple[str, list[Row]]) -> tuple[bool, str]:
    return (not table[0], table[0])


def _names(by: tuple[str, ...], found: list[dict[str, Any]], columns: list[str]) -> dict[tuple[str, str], str]:
    """What a value is called, where it is not called by itself."""
    names: dict[tuple[str, str], str] = {(name, ""): "none" for name in by}
    ids = {name: {str(one[column]) for one in found} - {""} for name, column in zip(by, columns, strict=True)}
    if "unit" in by:
        titles = BusinessUnit.objects.filter(pk__in=ids["unit"]).values_list("pk", "title")
        names |= {("unit", str(pk)): title for pk, title in titles}
    if "release" in by:
        releases = Release.objects.filter(pk__in=ids["release"]).only("workflow", "version", "digest")
        names |= {("release", str(one.pk)): str(one) for one in releases}
    names |= {("kind", value): str(label) for value, label in LineKind.choices}
    return names
