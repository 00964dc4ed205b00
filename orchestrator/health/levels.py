"""Service levels: how executions ended, how long they took and what they cost, counted from stored rows for a range of time.

Every figure is of executions that were asked for in the range, undoing ones left out. What nobody knows is None, never 0.
Definitions, one by one: docs/kpis.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from audit.templatetags._format import UNKNOWN, duration, money
from orchestrator.health.level_rows import GROUPS, Line, Span, failing_step, lines, rows_of
from orchestrator.health.ranges import Range, defaults
from orchestrator.health.stages import Stage, stages

__all__ = ["GROUPS", "Judged", "Level", "Span", "culprit", "judged", "levels", "usd"]

# Below so many executions a figure is shown with a warning, and raises no alert.
FEW = 20

# Of what executions cost on the days of the range: of its first and last day, all of it.
_SPENDER = """
SELECT COALESCE(NULLIF(tool, ''), NULLIF(agent, ''), NULLIF(model, ''), kind) AS name, sum(amount) AS spent,
  sum(sum(amount)) OVER () AS whole
FROM orchestrator_cost
WHERE unit_id = ANY (%(units)s) AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date
  AND workflow <> '' AND workflow NOT LIKE 'undo:%%' AND currency = 'USD'
GROUP BY 1 HAVING sum(amount) > 0 ORDER BY 2 DESC, 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Level:
    """One line: all executions, or those of one workflow, unit, release or agent. `staged` is of how many `stages` tells."""

    called: str
    counts: Mapping[str, int]
    times: Mapping[str, float | None]
    cost: float | None
    staged: int
    stages: Mapping[str, Stage]
    # Whether times are told to the last digit, or within 5 per cent.
    is_exact: bool
    is_kept: bool

    def share(self, what: str, of: str) -> float | None:
        """Percent; None where there is nothing to divide by."""
        whole = self.counts[of]
        return 100 * self.counts[what] / whole if whole else None


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure that has a range. `state` is inside, below, above, or unknown; `out` says that it is on the wrong side."""

    key: str
    title: str
    value: float | None
    sample: int
    low: float
    high: float
    state: str
    out: bool
    # The definition that says so; empty: the settings.
    set_by: str = ""

    @property
    def is_few(self) -> bool:
        return self.sample < FEW

    @property
    def reads(self) -> str:
        return UNKNOWN if self.value is None else _SAYS[self.key](self.value)

    @property
    def limits(self) -> str:
        low, high = map(_LIMITS[self.key], (self.low, self.high))
        return f"at least {low}" if self.key == "success" else f"{low} to {high}"


def usd(amount: float) -> str:
    """Four decimals; of less than a cent four digits, so that nothing that cost something reads as nothing."""
    return f"USD {amount:.4f}" if abs(amount) >= 0.01 else money(Decimal(str(amount)), "USD").shown


# To more digits than a column has: what is out of its range does not read as its limit.
_SAYS: dict[str, Callable[[float], str]] = {"cost": usd, "overhead": duration, "success": "{:.6g} %".format}
# Limits as they were drafted, to the last digit.
_LIMITS: dict[str, Callable[[float], str]] = {
    "cost": "USD {:.10g}".format,
    "overhead": duration,
    "success": "{:g} %".format,
}


COUNTS = (
    "asked",
    "ended",
    "succeeded",
    "completed",
    "escalated",
    "undone",
    "leaked",
    "proposed",
    "denied",
    "measured",
    "priced",
)
TIMES = ("took_p50", "took_p95", "overhead_p50", "overhead_p95")


def levels(span: Span, *, by: str = "workflow") -> list[Level]:
    """The line of all executions first, then the groups with most executions, a hundred at most."""
    return [_level(line) for line in lines(span, by=by)] or [
        Level("", dict.fromkeys(COUNTS, 0), dict.fromkeys(TIMES), None, 0, {}, True, True)
    ]


def _level(line: Line) -> Level:
    times = dict(zip(TIMES, (*line.percentiles["took"], *line.percentiles["overhead"]), strict=True))
    priced, counts = line.sums["priced"], {name: line.sums[name] for name in COUNTS}
    cost = line.cost / priced if priced else None
    return Level(line.called, counts, times, cost, line.sums["staged"], stages(line), line.is_exact, line.is_kept)


def judged(level: Level, ranges: Mapping[str, Range] | None = None) -> list[Judged]:
    """Cost per transaction, orchestration overhead and success rate beside their ranges; without any, the settings'."""
    held = defaults() if ranges is None else ranges
    figures = {
        "cost": ("Cost per transaction", level.cost, level.counts["priced"]),
        "overhead": ("Orchestration overhead, 95 % below", level.times["overhead_p95"], level.counts["measured"]),
        "success": ("Success rate", level.share("succeeded", "ended"), level.counts["ended"]),
    }
    return [_judged(key, *figure, held[key]) for key, figure in figures.items() if key in held]


def _judged(key: str, title: str, value: float | None, sample: int, held: Range) -> Judged:
    low, high = held.low, held.high
    state = "unknown" if value is None else "below" if value < low else "above" if value > high else "inside"
    # Cheaper and quicker than the range is worth a look, and no alert.
    out = state == ("below" if key == "success" else "above")
    return Judged(key, title, value, sample, low, high, state, out, held.set_by)


def culprit(key: str, span: Span, whole: Level, groups: list[Level]) -> str:
    """What contributes most to a figure being out of its range, with the numbers; "" where nothing stands out by name."""
    if key == "success":
        failed = whole.counts["ended"] - whole.counts["succeeded"]
        step = failing_step(span)
        return f"{step[0]}: {step[1]} of {failed} failures" if step else ""
    if key == "cost":
        found = rows_of(_SPENDER, span.values)
        if not found:
            return ""
        name, spent, all_spent = found[0].values()
        of = f"{money(spent, 'USD').shown} of {money(all_spent, 'USD').shown}"
        return f"{name}: {of}, {100 * spent / all_spent:.0f} %"
    slow = [one for one in groups if one.times["overhead_p95"] is not None]
    worst = max(slow, key=lambda one: (one.times["overhead_p95"] or 0) * one.counts["measured"], default=None)
    if worst is None:
        return ""
    return f"{worst.called}: 95 % below {worst.times['overhead_p95']:.2f} s in {worst.counts['measured']} executions"
