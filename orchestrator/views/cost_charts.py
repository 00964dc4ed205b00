"""Spending per day as stacked bars, one chart per currency: the rows of the report once more, by day."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.urls import reverse

from audit.templatetags._charts import COLOURS, Cell, Chart, Series, extent
from audit.templatetags._format import percentage
from orchestrator.queries.cost_report import DIMENSIONS, NOUGHT, Span, Table, report
from orchestrator.queries.cost_words import plain
from orchestrator.queries.days import told

# A bar of less than two pixels says nothing.
MOST_DAYS = 92
OTHERS = "All others"
PerDay = dict[str, Decimal]
Amounts = dict[str, PerDay]
Link = Callable[[date], str]


@dataclass(frozen=True, slots=True)
class Drawn:
    currency: str
    drawn: Chart


def charts(span: Span, by: str, unit: str) -> list[Drawn]:
    """Per currency, by the first thing that the page groups by. None for one day, or for more than a chart shows."""
    days = (span.until - span.since).days + 1
    if not 1 < days <= MOST_DAYS:
        return []
    tables = report(span, ("day", by) if by != "day" else ("day",))
    spent = [table for table in tables if table.currency and any(row.sums.amount for row in table.rows)]
    return [Drawn(table.currency, _chart(table, span, by, unit)) for table in spent]


def _chart(table: Table, span: Span, by: str, unit: str) -> Chart:
    values, names = _by_value(table, by)
    order = sorted(values, key=lambda value: (-sum(values[value].values()), value))
    kept = order if len(order) <= COLOURS else order[: COLOURS - 1]
    days = [span.since + timedelta(days=number) for number in range((span.until - span.since).days + 1)]
    links = _links(by, table.currency, unit)
    series = [_series(names[value], values[value], days, table.currency, links(value)) for value in kept]
    if len(kept) < len(order):
        rest = _together([values[value] for value in order[len(kept) :]])
        series.append(_series(OTHERS, rest, days, table.currency, _of_day(by, unit)))
    total = dict.fromkeys(map(str, days), NOUGHT) | _together(values.values())
    largest = sum(values[order[0]].values(), NOUGHT)
    return Chart(
        title=f"{table.currency} per day" + ("" if by == "day" else f", by {DIMENSIONS[by][1].lower()}"),
        sentence=_sentence(total, largest, names[order[0]] if by != "day" else "", table.currency),
        labels=[told(day) for day in days],
        series=series,
        highest=plain(extent(series)[0], table.currency),
    )


def _by_value(table: Table, by: str) -> tuple[Amounts, dict[str, str]]:
    """Amounts by value and day, and what each value is called."""
    values: Amounts = {}
    names: dict[str, str] = {}
    for row in table.rows:
        if row.sums.amount:
            value, name = (row.values[1], row.names[1]) if by != "day" else ("", "All")
            values.setdefault(value, {})[row.values[0]] = row.sums.amount
            names[value] = name
    return values, names


def _together(amounts: Iterable[PerDay]) -> PerDay:
    found: PerDay = {}
    for one in amounts:
        for day, amount in one.items():
            found[day] = found.get(day, NOUGHT) + amount
    return found


def _series(name: str, amounts: PerDay, days: list[date], currency: str, link: Link) -> Series:
    cells = []
    for day in days:
        amount = amounts.get(str(day), NOUGHT)
        cells.append(Cell(amount, plain(amount, currency) if amount else "", link(day) if amount else ""))
    return Series(name, plain(sum((cell.amount for cell in cells), NOUGHT), currency), cells)


def _links(by: str, currency: str, unit: str) -> Callable[[str], Link]:
    """From a value of the dimension to the address of its lines of a day."""

    def of(value: str) -> Link:
        chosen = {"unit": unit} if unit else {}
        if by == "unit":
            chosen = {"unit": value, "only": "1"}
        elif by != "day":
            chosen[by] = value
        return lambda day: _address("cost_lines", day, {**chosen, "currency": currency})

    return of


def _of_day(by: str, unit: str) -> Link:
    """What has no colour of its own: all of the day, by the same dimension."""
    return lambda day: _address("costs", day, {"by": by, "then": ""} | ({"unit": unit} if unit else {}))


def _address(page: str, day: date, query: dict[str, str]) -> str:
    return f"{reverse(page)}?{urlencode({'since': day, 'until': day, **query})}"


def _sentence(total: PerDay, first: Decimal, name: str, currency: str) -> str:
    whole = sum(total.values(), NOUGHT)
    day = max(total, key=total.__getitem__)
    said = f"{currency} {plain(whole, currency)} in {len(total)} days; most on {told(date.fromisoformat(day))}"
    share = f"; {name} is {percentage(100 * first / whole)} of it" if name and whole > 0 else ""
    return f"{said}: {plain(total[day], currency)}{share}."
