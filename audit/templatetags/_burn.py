"""A sum that grows towards its limit, as geometry: a line of days, lines to be reached, and where it is likely to end. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

SLOT, HEIGHT = 10, 100
# So that the highest line is not the frame.
ROOM = Decimal("1.05")


@dataclass(frozen=True, slots=True)
class Step:
    """One day: its place from the first day on, what it added, and the sum at its end; as drawn and as printed."""

    place: int
    label: str
    added: str
    shown: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class Level:
    """A line to be reached."""

    amount: Decimal
    words: str
    note: str
    is_limit: bool


@dataclass(frozen=True, slots=True)
class Ahead:
    """Where it is likely to end, in a sentence; at least and at most."""

    likely: Decimal
    low: Decimal
    high: Decimal
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Burn:
    """`days` is how many the whole picture has, `today` how many of them have begun."""

    title: str
    sentence: str
    first: str
    last: str
    days: int
    today: int
    before: Decimal
    steps: list[Step]
    levels: list[Level]
    ahead: Ahead | None = None

    @property
    def now(self) -> Decimal:
        return self.steps[-1].total if self.steps else self.before


@dataclass(frozen=True, slots=True)
class Drawn:
    """Points of the lines, and how deep each line to be reached lies."""

    line: str
    likely: str
    band: str
    levels: list[tuple[Level, float]]


def drawn(burn: Burn) -> Drawn:
    """A day's sum rises from its morning to its evening; a day without any is level."""
    totals = [burn.before, *(step.total for step in burn.steps)]
    ahead = [burn.ahead.likely, burn.ahead.low, burn.ahead.high] if burn.ahead else []
    top = max([*totals, *ahead, *(level.amount for level in burn.levels)], default=Decimal(0)) * ROOM or Decimal(1)
    bottom = min(Decimal(0), *totals, *ahead)

    def deep(amount: Decimal) -> float:
        return round(float((top - amount) * HEIGHT / (top - bottom)), 2)

    points = [(0, burn.before)]
    for step in burn.steps:
        points += [(step.place - 1, points[-1][1]), (step.place, step.total)]
    now = (burn.today, points[-1][1])
    found = _points([*points, now], deep)
    levels = [(level, deep(level.amount)) for level in burn.levels]
    if burn.ahead is None:
        return Drawn(found, "", "", levels)
    likely = _points([now, (burn.days, burn.ahead.likely)], deep)
    return Drawn(found, likely, _points([now, (burn.days, burn.ahead.high), (burn.days, burn.ahead.low)], deep), levels)


def _points(places: Iterable[tuple[int, Decimal]], deep: Callable[[Decimal], float]) -> str:
    return " ".join(f"{place * SLOT},{deep(amount)}" for place, amount in places)
