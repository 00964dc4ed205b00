"""From what was measured to a state word: good, degraded, down, or unknown. Pure; the limits stand in settings.HEALTH_LIMITS.

Unknown is a state of its own: what was not measured, or was never reported, is never good.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.templatetags._format import count, percentage, rough, size
from orchestrator.health.readings import OF_UNITS, Readings

GOOD, DEGRADED, DOWN, UNKNOWN = "good", "degraded", "down", "unknown"
WORST_FIRST = (DOWN, DEGRADED, UNKNOWN, GOOD)
# Of units, and of the machine as a whole: the work of one unit waits for the same hands as everybody's.
OF_THE_ENGINE = frozenset({"queue_age", "leases"})
LATENCIES = (10, 20, 50, 100, 200, 500)
Limits = Mapping[str, tuple[float, float]]
Hosts = list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure, judged. `value` is what the limits are compared with; `shown` is how it is said, coarsely."""

    key: str
    title: str
    state: str
    value: float | None
    unit: str
    shown: str
    detail: str
    degraded_above: float
    down_above: float

    @property
    def limit(self) -> str:
        say = _SAY[self.unit]
        return f"degraded above {say(self.degraded_above)}, down above {say(self.down_above)}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a figure came to. A state that is given outranks the limits."""

    value: float | None
    shown: str
    detail: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """How one tile is made: from which reading, in which unit, by which rule."""

    key: str
    title: str
    unit: str
    reading: str
    rule: Callable[[Any, Limits], Found]

    @property
    def of_units(self) -> bool:
        return self.key in OF_UNITS


def tiles(readings: Readings, limits: Limits, *, units: frozenset[UUID], machine: bool) -> list[Tile]:
    """Every tile this reader may see: figures of their units, and those of the machine if they may see them."""
    return [
        _tile(figure, readings, limits, reach(figure.key, units, machine=machine))
        for figure in FIGURES
        if figure.of_units or machine
    ]


def reach(key: str, units: frozenset[UUID], *, machine: bool) -> frozenset[UUID] | None:
    """The units a figure is told of; None: all. Whoever sees the machine sees how it serves everybody, in one number."""
    return None if machine and key in OF_THE_ENGINE else units


def overall(shown: list[Tile]) -> str:
    """The worst of them. One that is unknown keeps the whole from looking good."""
    states = {tile.state for tile in shown}
    return next((state for state in WORST_FIRST if state in states), UNKNOWN)


def values_of(readings: Readings, limits: Limits) -> dict[str, Any]:
    """What a sample keeps: a value per figure that was read, and per unit where units are told apart."""
    kept: dict[str, Any] = {}
    for figure in FIGURES:
        facts = readings.found.get(figure.reading)
        if facts is None:
            continue
        if figure.of_units:
            kept[figure.key] = {unit: round(one["value"], 3) for unit, one in facts.items() if one["value"]}
        elif (value := figure.rule(facts, limits).value) is not None:
            kept[figure.key] = round(value, 3)
    return kept


def combined(key: str, value: Any, units: frozenset[UUID] | None) -> float:
    """A sampled value for these units: letters add up, of ages the worst counts."""
    if not isinstance(value, dict):
        return float(value)
    seen = [float(one) for unit, one in value.items() if units is None or UUID(unit) in units]
    return float(sum(seen)) if key == "dead_letters" else max(seen, default=0.0)


def _tile(figure: Figure, readings: Readings, limits: Limits, units: frozenset[UUID] | None) -> Tile:
    limit = limits[figure.key]
    fault = readings.faults.get(figure.reading)
    facts = readings.found.get(figure.reading)
    if figure.of_units and facts is not None:
        facts = [one for unit, one in facts.items() if units is None or UUID(unit) in units]
    if figure.of_units and units is not None and not units:
        fault = "You see no business unit."
    found = Found(None, "unknown", fault) if fault else figure.rule(facts, limits)
    return Tile(
        key=figure.key, title=figure.title, state=found.state or judged(found.value, limit), value=found.value,
        unit=figure.unit, shown=found.shown, detail=found.detail, degraded_above=limit[0], down_above=limit[1],
    )  # fmt: skip


def judged(value: float | None, limit: tuple[float, float]) -> str:
    if value is None:
        return UNKNOWN
    degraded, down = limit
    return DOWN if value > down else DEGRADED if value > degraded else GOOD


# --- Rules: facts and limit in, what they come to out -----------------------------------------------------------


def _queue_age(units: list[Mapping[str, Any]], _: Limits) -> Found:
    age, due = _most(units, "value"), _sum(units, "due")
    return Found(age, rough(age), f"{count(due)} due and not claimed" if due else "nothing is due")


def _leases(units: list[Mapping[str, Any]], _: Limits) -> Found:
    past, running = _sum(units, "past"), _sum(units, "running")
    in_hand = f"{count(running)} in hand, the oldest for {rough(_most(units, 'oldest'))}" if running else "none in hand"
    late = _most(units, "value")
    return Found(late, f"{count(past)} past their time" if past else "none past its time", in_hand)


def _letters(units: list[Mapping[str, Any]], _: Limits) -> Found:
    fresh = _sum(units, "value")
    return Found(float(fresh), f"{count(fresh)} in ten minutes")


def _approvals(units: list[Mapping[str, Any]], limits: Limits) -> Found:
    age, waiting, overdue = _most(units, "value"), _sum(units, "waiting"), _sum(units, "overdue")
    if not waiting:
        return Found(0.0, "none waits")
    late = f", {count(overdue)} past their time to decide" if overdue else ""
    state = DEGRADED if overdue and judged(age, limits["approvals"]) == GOOD else ""
    return Found(age, rough(age), f"{count(waiting)} waiting{late}", state)


def _workers(hosts: Hosts, limits: Limits) -> Found:
    if not hosts:
        return Found(None, "none", "No worker reports: steps wait until one runs.", DOWN)
    late, dead = limits["workers"]
    silent = [host for host in hosts if host["beat_age"] > late]
    gone = [host for host in silent if host["beat_age"] > dead]
    state = DOWN if len(gone) == len(hosts) else DEGRADED if silent else GOOD
    heard = f"every beat within {rough(late)}"
    names = "; ".join(f"{_name(host)} silent for {rough(host['beat_age'])}" for host in silent[:3])
    return Found(_most(hosts, "beat_age"), f"{len(hosts) - len(silent)} of {len(hosts)}", names or heard, state)


def _sweep(hosts: Hosts, limits: Limits) -> Found:
    ages = [host["swept_age"] for host in hosts if host["swept_age"] is not None]
    if not ages:
        return Found(None, "never", "No worker sweeps: leases, timers and escalations wait.", DOWN)
    late = limits["sweep"][0]
    # In time, it is a second or two, each time another.
    shown = rough(min(ages)) if min(ages) > late else f"under {rough(late)}"
    return Found(min(ages), shown, "since the last round of any worker ended")


def _clusters(hosts: Hosts, limits: Limits) -> Found:
    heard = _heard(hosts, limits)
    if not heard:
        return Found(None, "unknown", "No worker says how its cluster is.")
    still = [host for host in heard if host["stands_still"]]
    restarts = _sum(heard, "restarts")
    if still:
        return Found(float(restarts), "frozen", f"{_name(still[0])}: claimed work does not progress", DOWN)
    last = max(heard, key=lambda host: host["restarted_at"] or "")
    why = f"{_name(last)}, last: {last['restarted_why']}" if restarts else "all of them move"
    return Found(float(restarts), f"{restarts} restarted in ten minutes" if restarts else "no restart", why)


def _clock(hosts: Hosts, limits: Limits) -> Found:
    known = [host for host in _heard(hosts, limits) if host["clock_skew_seconds"] is not None]
    if not known:
        return Found(None, "unknown", "No worker has compared its clock lately.")
    worst = max(known, key=lambda host: abs(host["clock_skew_seconds"]))
    skew = worst["clock_skew_seconds"]
    way = "ahead of" if skew > 0 else "behind"
    if abs(skew) < 1:
        return Found(abs(skew), "under 1 s", f"{len(known)} compared with the database")
    return Found(abs(skew), rough(abs(skew)), f"{_name(worst)} is {way} the database")


def _outbox(facts: Mapping[str, Any], _: Limits) -> Found:
    waiting, failing = facts["waiting"], facts["failing"]
    told = f"{count(waiting)} due, {count(failing)} tried before" if waiting else "nothing waits"
    return Found(float(facts["value"]), rough(facts["value"]), told)


def _database(facts: Mapping[str, Any], _: Limits) -> Found:
    seconds = float(facts["value"])
    step = next((step for step in LATENCIES if seconds * 1000 < step), None)
    kept = f"{size(facts['size'])}, {facts['replicas'] or 'no'} replicas" if "size" in facts else "size not readable"
    return Found(seconds, f"under {step} ms" if step else rough(seconds), kept)


def _connections(facts: Mapping[str, Any], _: Limits) -> Found:
    return Found(float(facts["value"]), f"{facts['used']} of {facts['most']}", "client connections of the server")


def _transaction(facts: Mapping[str, Any], _: Limits) -> Found:
    return Found(float(facts["value"]), rough(facts["value"]), "the longest that is open now")


def _audit_chain(facts: Mapping[str, Any] | None, _: Limits) -> Found:
    if facts is None:
        return Found(None, "never verified", "Nobody has run verify_audit yet.")
    if facts["event"] != "audit_chain.verified":
        return Found(float(facts["value"]), "broken", str(facts["why"]), DOWN)
    return Found(float(facts["value"]), f"{rough(facts['value'])} ago", "every chain held")


def _backup(facts: Mapping[str, Any] | None, _: Limits) -> Found:
    if facts is None:
        return Found(None, "no report", "No backup was ever reported here.")
    return Found(float(facts["value"]), f"{rough(facts['value'])} ago", str(facts["why"]))


def _trace_export(facts: Mapping[str, Any], limits: Limits) -> Found:
    if not facts:
        return Found(0.0, "off", "no sink is configured")
    failing = f", {count(facts['failures'])} tries failed" if facts["failures"] else ""
    aside = f", {count(facts['aside'])} set aside: the sink answered {facts['refused']}" if facts["aside"] else ""
    # However quickly the rest went out, somebody has to see to what did not.
    state = DEGRADED if aside and judged(facts["value"], limits["trace_export"]) == GOOD else ""
    return Found(facts["value"], rough(facts["value"]), f"{count(facts['sent'])} spans sent{failing}{aside}", state)


def _heard(hosts: Hosts, limits: Limits) -> Hosts:
    """A worker that is silent says nothing about now."""
    return [host for host in hosts if host["beat_age"] <= limits["workers"][1]]


def _most(rows: list[Mapping[str, Any]], name: str) -> float:
    return max((float(row[name] or 0) for row in rows), default=0.0)


def _sum(rows: list[Mapping[str, Any]], name: str) -> int:
    return sum(int(row[name] or 0) for row in rows)


def _name(host: Mapping[str, Any]) -> str:
    return f"{host['host']} (pid {host['pid']})"


_SAY: dict[str, Callable[[float], str]] = {
    "seconds": lambda value: rough(value) if value >= 1 else f"{value * 1000:g} ms",
    "percent": percentage,
    "letters in ten minutes": lambda value: f"{value:g} in ten minutes",
    "restarts in ten minutes": lambda value: f"{value:g} in ten minutes",
}
FIGURES = (
    Figure("queue_age", "Queue age", "seconds", "queue_age", _queue_age),
    Figure("leases", "Leases", "seconds", "leases", _leases),
    Figure("approvals", "Oldest waiting approval", "seconds", "approvals", _approvals),
    Figure("dead_letters", "New dead letters", "letters in ten minutes", "dead_letters", _letters),
    Figure("workers", "Workers", "seconds", "hosts", _workers),
    Figure("clusters", "Clusters", "restarts in ten minutes", "hosts", _clusters),
    Figure("sweep", "Sweep", "seconds", "hosts", _sweep),
    Figure("notices", "Messages to people", "seconds", "notices", _outbox),
    Figure("webhooks", "Webhooks", "seconds", "webhooks", _outbox),
    Figure("trace_export", "Traces out", "seconds", "trace_export", _trace_export),
    Figure("database", "Database", "seconds", "database", _database),
    Figure("connections", "Connections", "percent", "connections", _connections),
    Figure("transaction", "Longest transaction", "seconds", "transaction", _transaction),
    Figure("clock", "Clock skew", "seconds", "hosts", _clock),
    Figure("audit_chain", "Audit chain", "seconds", "audit_chain", _audit_chain),
    Figure("backup", "Last backup", "seconds", "backup", _backup),
)
