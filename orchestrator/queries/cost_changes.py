"""Which unit's which workflow costs more or less than before: the roll-ups of two ranges of days, side by side per currency."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Case, Max, Q, Sum, Value, When
from django.db.models.functions import Coalesce

from budgets.models import BusinessUnit, LineKind
from orchestrator.models import Cost
from orchestrator.queries.cost_outcomes import executions_asked_for
from orchestrator.queries.cost_parts import NOUGHT, PARTS, Change, OnRecord, Side, Spent, change
from orchestrator.queries.cost_rates import Priced, rates_of
from orchestrator.queries.cost_report import Span, field_of

SUMS = ("amount", "lines", "unknown", "input_tokens", "cached_input_tokens", "output_tokens", "seconds")
# What else tells lines of a kind apart: a model call's tool, and a tool call's model, change nothing about its price.
OF_A_KIND = {"provider": LineKind.MODEL, "model": LineKind.MODEL, "tool": LineKind.TOOL}
Key = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class Changed:
    """A workflow of a unit, what changed, and in how many lines of it nobody knows the cost."""

    unit_id: UUID
    unit: str
    workflow: str
    change: Change
    unknown: int
    unknown_before: int


@dataclass(frozen=True, slots=True)
class Changes:
    """All of one currency, the largest change first. No currency: workflows of which no cost is known."""

    currency: str
    rows: list[Changed]

    @property
    def before(self) -> Decimal:
        return sum((row.change.before.amount for row in self.rows), NOUGHT)

    @property
    def now(self) -> Decimal:
        return sum((row.change.now.amount for row in self.rows), NOUGHT)

    @property
    def parts(self) -> dict[str, Decimal]:
        return {name: sum((row.change.parts[name] for row in self.rows), NOUGHT) for name in PARTS}


def changes(now: Span, before: Span) -> list[Changes]:
    """Both spans are of the same units, and no day is in both."""
    found = _sums(now, before)
    executions = executions_asked_for(now, before)
    units = dict(BusinessUnit.objects.filter(pk__in={row["unit_id"] for row in found}).values_list("pk", "title"))
    rates = rates_of(found)
    unknown: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    lines: dict[str, dict[Key, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        key = (row["unit_id"], row["workflow"])
        for at, side in enumerate(("now", "before")):
            unknown[key][at] += row[f"{side}_unknown"]
        lines[row["currency"]][key].append(row)
    known = {key for currency, groups in lines.items() if currency for key in groups}
    tables: dict[str, list[Changed]] = defaultdict(list)
    for currency, groups in lines.items():
        for key, rows in groups.items():
            if currency or (key not in known and any(unknown[key])):
                what = _change(rows, (executions[0].get(key, 0), executions[1].get(key, 0)), rates)
                named = (key[0], units.get(key[0], "?"), key[1])
                tables[currency].append(Changed(*named, what, *unknown[key]))
    return [Changes(currency, sorted(tables[currency], key=_largest)) for currency in sorted(tables, key=_known_first)]


def _known_first(currency: str) -> tuple[bool, str]:
    return (not currency, currency)


def _change(rows: list[dict[str, Any]], executions: tuple[int, int], rates: dict[Priced, OnRecord]) -> Change:
    called = _called(rows)
    now, before = (
        Side(number, tuple(_spent(row, side, called) for row in rows if _is_there(row, side)))
        for number, side in zip(executions, ("now", "before"), strict=True)
    )
    return change(before, now, {called[Priced.of(row)]: rates[one] for row in rows if (one := Priced.of(row)) in rates})


def _called(rows: list[dict[str, Any]]) -> dict[Priced, str]:
    """A model that two providers serve is two: each has its own price."""
    providers: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        providers[row["model"]].add(row["provider"])
    return {
        Priced.of(row): f"{row['model']} of {row['provider'] or 'no provider'}"
        if row["model"] and len(providers[row["model"]]) > 1
        else row["model"]
        for row in rows
    }


def _spent(row: dict[str, Any], side: str, called: dict[Priced, str]) -> Spent:
    sums = {name: row[f"{side}_{name}"] for name in SUMS if name != "unknown"}
    return Spent(kind=row["kind"], model=called[Priced.of(row)], tool=row["tool"], **sums)


def _is_there(row: dict[str, Any], side: str) -> bool:
    return any(row[f"{side}_{name}"] for name in SUMS)


def _largest(row: Changed) -> tuple[Any, ...]:
    return (-abs(row.change.amount), -row.unknown, row.unit, row.workflow)


def _sums(now: Span, before: Span) -> list[dict[str, Any]]:
    sides = {"now": now.days, "before": before.days}
    sums: dict[str, Any] = {
        f"{side}_{name}": Coalesce(Sum(name, filter=days), 0, output_field=field_of(name))
        for side, days in sides.items()
        for name in SUMS
    }
    # The last day of each with a line that says by which rates it was estimated.
    sums |= {f"{side}_estimated": Max("day", filter=days & Q(estimated__gt=0)) for side, days in sides.items()}
    rows = Cost.objects.filter(sides["now"] | sides["before"], unit_id__in=now.unit_ids).order_by()
    apart = {
        f"its_{name}": Case(When(kind=kind, then=name), default=Value(""), output_field=field_of(name))
        for name, kind in OF_A_KIND.items()
    }
    found: Any = rows.values("unit_id", "workflow", "currency", "kind", **apart).annotate(**sums)
    return [row | {name: row[f"its_{name}"] for name in OF_A_KIND} for row in found]
