"""Stacked bars as geometry: a bar per label, a mark per series, what is below nought hangs below the line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from audit.templatetags._visible import pieces

SLOT, BAR, HEIGHT = 10, 8, 100
COLOURS = 8


@dataclass(frozen=True, slots=True)
class Cell:
    """One number: as it is drawn, as it is printed, and the address of the rows behind it."""

    amount: Decimal
    shown: str
    url: str


@dataclass(frozen=True, slots=True)
class Series:
    """One colour, with its number per label."""

    name: str
    total: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart says: its sentence tells the gist, its table every number. At most COLOURS series."""

    title: str
    sentence: str
    labels: list[str]
    series: list[Series]
    highest: str


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    y: float
    height: float
    colour: int
    url: str
    words: str


def marks(chart: Chart) -> list[Mark]:
    """Bar by bar, from the line outwards in the order of the series."""
    above, below = extent(chart.series)
    scale = Decimal(HEIGHT) / ((above - below) or 1)
    names = ["".join(piece.text for piece in pieces(series.name)) for series in chart.series]
    found = []
    for place, label in enumerate(chart.labels):
        up = down = Decimal(0)
        for colour, series in enumerate(chart.series, 1):
            cell = series.cells[place]
            if not cell.amount:
                continue
            top = up + cell.amount if cell.amount > 0 else down
            up, down = (top, down) if cell.amount > 0 else (up, down + cell.amount)
            size = abs(cell.amount) * scale
            words = f"{label}, {names[colour - 1]}: {cell.shown}"
            found.append(Mark(place * SLOT + 1, _short((above - top) * scale), _short(size), colour, cell.url, words))
    return found


def line_of_nought(chart: Chart) -> float:
    above, below = extent(chart.series)
    return _short(above * Decimal(HEIGHT) / ((above - below) or 1)) if above - below else HEIGHT


def extent(drawn: Sequence[Series]) -> tuple[Decimal, Decimal]:
    """How far the bars reach above nought and below it."""
    columns: Sequence[tuple[Cell, ...]] = list(zip(*(series.cells for series in drawn), strict=True))
    above = max((sum(max(cell.amount, Decimal(0)) for cell in column) for column in columns), default=Decimal(0))
    below = min((sum(min(cell.amount, Decimal(0)) for cell in column) for column in columns), default=Decimal(0))
    return Decimal(above), Decimal(below)


def _short(number: Decimal) -> float:
    return round(float(number), 2)
