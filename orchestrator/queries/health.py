"""The health page and its JSON: figures of the units a reader sees, and those of the machine for whoever keeps it running."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from approvals.rules.administrators import is_administrator
from audit import scope
from audit.actors import Actor
from audit.refusals import Forbidden
from orchestrator.health import samples
from orchestrator.health.judging import Tile, judged, overall, reach, tiles
from orchestrator.health.readings import ALL, OF_UNITS, Readings, read
from orchestrator.health.runbook import RUNBOOK, Entry

MACHINE_SCOPE = "read:health"
# The list behind a figure: address and query. What has no list of its own has the table of workers, or nothing.
LISTS = {
    "queue_age": ("executions", "?state=queued", "Queued executions"),
    "leases": ("executions", "?state=running", "Running executions"),
    "approvals": ("approvals", "", "Approval queue"),
    "dead_letters": ("dead_letters", "?status=open", "Dead letters"),
    "workers": ("health", "#workers", "Worker hosts"),
    "clusters": ("health", "#workers", "Worker hosts"),
    "sweep": ("health", "#workers", "Worker hosts"),
    "clock": ("health", "#workers", "Worker hosts"),
}
STEPS = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A tile with its line of the last ten minutes (0 to 1, None where nobody measured) and where it leads."""

    tile: Tile
    line: list[float | None]
    mark: float
    url: str
    list: str


@dataclass(frozen=True, slots=True)
class Host:
    """One worker in the table."""

    name: str
    state: str
    beat: str
    version: str
    busy: int
    hands: int
    started_at: datetime | None
    last_claim_at: datetime | None
    last_progress_at: datetime | None
    cluster: str


@dataclass(frozen=True, slots=True)
class HealthPage:
    state: str
    shown: list[Shown]
    counts: list[tuple[str, int]]
    hosts: list[Host]
    machine: bool
    runbook: list[tuple[Tile, Entry]] = field(default_factory=list)

    @property
    def version(self) -> str:
        """Of everything that can be seen. What is measured is said coarsely, so on a quiet machine nothing changes."""
        seen = [(one.tile.state, one.tile.shown, one.tile.detail, one.line) for one in self.shown]
        return hashlib.sha256(repr((seen, self.hosts, self.machine)).encode()).hexdigest()[:16]


def may_see(actor: Actor) -> bool:
    """Whoever has a role in some unit, and administrators."""
    if not actor.is_person:
        return True  # its token's scope was asked for at the door
    return any(scope.unit_ids(actor, one) for one in get_args(scope.Permission)) or is_administrator(actor)


def sees_machine(actor: Actor) -> bool:
    """Operators of any unit and administrators; of machines, those that were given the scope for it."""
    if not actor.is_person:
        return MACHINE_SCOPE in actor.scopes
    return bool(scope.unit_ids(actor, "operate")) or is_administrator(actor)


def figures(actor: Actor) -> tuple[list[Tile], Readings, bool]:
    """Measured now. Raises Forbidden for somebody without any role."""
    if not may_see(actor):
        raise Forbidden(
            "The health page takes a role in some business unit.", remedy="Ask an administrator of your business unit."
        )
    machine = sees_machine(actor)
    found = read(ALL if machine else OF_UNITS)
    return tiles(found, settings.HEALTH_LIMITS, units=_units(actor), machine=machine), found, machine


def health_page(actor: Actor) -> HealthPage:
    made, found, machine = figures(actor)
    lately, units = _lately(), _units(actor)
    shown = [_shown(tile, lately, reach(tile.key, units, machine=machine)) for tile in made]
    states = [tile.state for tile in made]
    return HealthPage(
        state=overall(made),
        shown=shown,
        counts=[(state, states.count(state)) for state in ("down", "degraded", "unknown", "good") if state in states],
        hosts=[_host(row) for row in found.found.get("hosts") or []] if machine else [],
        machine=machine,
        runbook=[(tile, RUNBOOK[tile.key]) for tile in made],
    )


def _units(actor: Actor) -> frozenset[UUID]:
    return scope.unit_ids(actor, "view")


def _lately() -> list[Any]:
    """History is a help, not the truth: a page without it still tells how it is now."""
    try:
        return samples.lately()
    except Error:
        return [None] * samples.POINTS


def _shown(tile: Tile, lately: list[Any], units: frozenset[UUID] | None) -> Shown:
    name, query, label = LISTS.get(tile.key, ("", "", ""))
    values = samples.line(lately, tile.key, units)
    return Shown(
        tile=tile,
        line=[None if value is None else _level(value, tile.down_above) for value in values],
        mark=_level(tile.degraded_above, tile.down_above),
        url=(query if name == "health" else reverse(name) + query) if name else "",
        list=label,
    )


def _level(value: float, down: float) -> float:
    """How near the lower edge of down, in twentieths: a line that flickers by itself would be redrawn for nothing."""
    return round(min(value / down, 1) * STEPS) / STEPS


def _host(row: dict[str, Any]) -> Host:
    state = judged(row["beat_age"], settings.HEALTH_LIMITS["workers"])
    return Host(
        name=f"{row['host']}, pid {row['pid']}",
        state=state,
        beat="now" if state == "good" else "late" if state == "degraded" else "silent",
        version=row["version"],
        busy=row["busy"],
        hands=row["hands"],
        started_at=_time(row["started_at"]),
        last_claim_at=_time(row["last_claim_at"]),
        last_progress_at=_time(row["last_progress_at"]),
        cluster=_cluster(row),
    )


def _cluster(row: dict[str, Any]) -> str:
    if row["stands_still"]:
        return "frozen"
    return f"restarted {row['restarts']} times in ten minutes" if row["restarts"] else "moves"


def _time(text: str | None) -> datetime | None:
    return parse_datetime(text) if text else None
