"""The figures as one reads them: medians over the rounds, ratios, and the target beside each."""

import statistics
from dataclasses import dataclass
from typing import Any

Figures = dict[str, list[dict[str, Any]]]
NAMES = {
    "ours throughput": "Holdpoint, 1 worker host of 2",
    "ours unrecorded": "the same without audit and spans",
    "langgraph throughput": "langgraph + PostgreSQL, 2 processes",
    "dbos throughput": "dbos queue, 2 processes",
    "dbos direct": "dbos direct calls, 1 process",
    "ours latency": "Holdpoint",
    "langgraph latency": "langgraph, in process",
    "dbos latency": "dbos direct call, in process",
    "ours decision": "Holdpoint, once recorded",
    "langgraph decision": "langgraph, in process",
    "dbos decision": "dbos, in process",
}


@dataclass(frozen=True)
class Target:
    """A figure of ours, beside the same figure of `against` in the same round, or by itself."""

    name: str
    of: str
    figure: str
    limit: float
    unit: str
    at_least: bool = False
    against: tuple[str, str] | None = None

    def value(self, figures: Figures) -> float | None:
        """The median over the rounds, None where it was not measured."""
        if self.against is None:
            return _middle(figures, self.of, self.figure)
        other, figure = self.against
        rounds = zip(figures.get(self.of, []), figures.get(other, []), strict=False)
        found = [mine[self.figure] / theirs[figure] for mine, theirs in rounds]
        return statistics.median(found) if found else None


TARGETS = [
    Target("W3 throughput, against dbos queue (2 processes)", "ours throughput", "per_second", 3.0, "x", True,
           ("dbos throughput", "per_second")),
    Target("W3 throughput, against langgraph (2 processes)", "ours throughput", "per_second", 2.0, "x", True,
           ("langgraph throughput", "per_second")),
    Target("W3 throughput, against itself without audit and spans", "ours throughput", "per_second", 0.85, "x", True,
           ("ours unrecorded", "per_second")),
    Target("W3 alone p50, against langgraph in process", "ours latency", "p50", 1.0, "x", False,
           ("langgraph latency", "p50")),
    Target("W3 alone p50, against dbos direct call", "ours latency", "p50", 0.7, "x", False, ("dbos latency", "p50")),
    Target("W3 alone p95, against its own p50", "ours latency", "p95", 2.0, "x", False, ("ours latency", "p50")),
    Target("decision recorded to following step done, p50", "ours decision", "p50", 5, "ms"),
    Target("decision recorded to following step done, p95", "ours decision", "p95", 10, "ms"),
    Target("claim to settle of a step, handler included, p50", "ours latency", "step_p50", 3, "ms"),
    Target("claim to settle of a step, handler included, p95", "ours latency", "step_p95", 10, "ms"),
    Target("approvals parked", "ours parked", "per_second", 1000, "/ s", True),
    Target("attempts held by parked approvals", "ours parked", "held", 0, ""),
    Target("memory grown while they were parked", "ours parked", "grown_mb", 10, "MB"),
]  # fmt: skip


def print_tables(figures: Figures) -> None:
    print("\nW3: three durable steps; 2 processes work, many at once")
    for key in ("ours throughput", "ours unrecorded", "langgraph throughput", "dbos throughput", "dbos direct"):
        if key in figures:
            _throughput(figures, key)
            _work_per_cpu(figures, key)
    for verb, title in (("latency", "W3 alone, submit to finish"), ("decision", "Decision to following step done")):
        print(f"\n{title}, ms")
        for system in ("ours", "langgraph", "dbos"):
            if f"{system} {verb}" in figures:
                _spread(figures, f"{system} {verb}")
    print("\nTargets")
    for target in TARGETS:
        _against_target(figures, target)


def _middle(figures: Figures, key: str, name: str) -> float | None:
    found = [one[name] for one in figures.get(key, []) if name in one]
    return statistics.median(found) if found else None


def _throughput(figures: Figures, key: str) -> None:
    rate, python, postgres = (_middle(figures, key, name) for name in ("per_second", "python_ms", "postgres_ms"))
    print(f"  {NAMES[key]:<40} {rate:8.0f} / s   CPU per W3: python {python:5.2f} ms, PostgreSQL {postgres:5.2f} ms")


def _work_per_cpu(figures: Figures, key: str) -> None:
    """What a second of CPU does here, as a ratio. Other work on the machine disturbs it least."""
    ours = [one["python_ms"] + one["postgres_ms"] for one in figures.get("ours throughput", [])]
    theirs = [one["python_ms"] + one["postgres_ms"] for one in figures[key]]
    ratios = [other / mine for mine, other in zip(ours, theirs, strict=False)]
    if ratios and key != "ours throughput":
        print(f"  {'':<40} Holdpoint does {statistics.median(ratios):.2f} x as many per second of CPU")


def _spread(figures: Figures, key: str) -> None:
    print(f"  {NAMES[key]:<40} p50 {_middle(figures, key, 'p50'):7.2f}   p95 {_middle(figures, key, 'p95'):7.2f}")


def _against_target(figures: Figures, target: Target) -> None:
    value = target.value(figures)
    if value is None:
        return
    sign, met = (">=", value >= target.limit) if target.at_least else ("<=", value <= target.limit)
    said, wanted = f"{value:.2f} {target.unit}", f"{sign} {target.limit:g} {target.unit}"
    print(f"  {'met   ' if met else 'MISSED'} {target.name:<56} {said:>12}   target {wanted}")
