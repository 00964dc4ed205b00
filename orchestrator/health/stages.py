"""Latency by stage: where the time of a success went, from asked for to finished. Definitions: docs/kpis.md.

Every moment is in one stage, so the stages of an execution add up to its end to end. What happens at once counts as the first
that holds: a handler runs, people are asked, an outcome is looked up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.health.level_rows import Line

# The stage's name in the file and over the API, and its header.
STAGES: Mapping[str, str] = {
    "queued": "Before it began",
    "running": "Running",
    "people": "Waiting for people",
    "reconciling": "Reconciling",
    "between": "Between steps",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Seconds, and per cent of all the time of the line."""

    median: float | None
    most: float | None
    percent: float | None


def stages(line: Line) -> Mapping[str, Stage]:
    """Of each stage; of none where no success has attempts on record."""
    whole = sum(line.seconds.values())
    if not line.sums["staged"]:
        return {}
    return {
        name: Stage(*line.percentiles[name], 100 * line.seconds[name] / whole if whole else None) for name in STAGES
    }
