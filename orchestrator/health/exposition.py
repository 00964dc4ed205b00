"""The health readings as Prometheus reads them. No label holds a name of a unit, workflow, agent or person.

A label's values come from a fixed list, so the number of series does not grow with what is done here. Budgets alone have
names: two people put each in force, and a token sees so many of its unit's at most.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from orchestrator.health.readings import Readings, read
from orchestrator.statuses import AttemptStatus, BreakerStatus, DeadLetterStatus

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# However often it is scraped, and by however many: the database is asked once in this time by each web process.
FRESH_SECONDS = 5.0
MOST_KEPT = 64
# Those that hold something up and the fullest first; what is left out is counted.
MOST_BUDGETS = 100
WANTED = frozenset(
    {"queue_age", "leases", "approvals", "hosts", "notices", "webhooks", "connections", "letters", "breakers", "attempts",
     "trace_export", "budgets"}
)  # fmt: skip

_turn = threading.Lock()
_kept: dict[frozenset[UUID], tuple[float, bytes]] = {}


def exposition(units: frozenset[UUID]) -> bytes:
    """Prometheus's text, as of a few seconds ago at most.

    Approvals and dead letters are those of `units`; the rest is the machine's.
    """
    with _turn:
        at, text = _kept.get(units, (float("-inf"), b""))
        if time.monotonic() - at < FRESH_SECONDS:
            return text
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        text = written(read(WANTED), units)
        _kept[units] = (time.monotonic(), text)
        return text


def forget() -> None:
    """The next scrape measures."""
    _kept.clear()


def written(readings: Readings, units: frozenset[UUID]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(readings, units))
    return generate_latest(registry)


class _Found(Collector):
    """What could be read. What could not is missing, and counted: a zero would be a lie."""

    def __init__(self, readings: Readings, units: frozenset[UUID]) -> None:
        self._found, self._faults, self._units = readings.found, readings.faults, units

    def collect(self) -> Iterator[Metric]:
        yield _one("unreadable_figures", "Figures that could not be read", len(self._faults))
        for name, made in (
            ("database", self._database), ("queue_age", self._queue), ("leases", self._leases),
            ("approvals", self._approvals), ("letters", self._letters), ("hosts", self._workers),
            ("breakers", self._breakers), ("attempts", self._attempts), ("connections", self._connections),
            ("trace_export", self._traces), ("budgets", self._budgets),
        ):  # fmt: skip
            if self._found.get(name) is not None:
                yield from made(self._found[name])
        yield from self._outbox()

    def _database(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        yield _one("database_seconds", "How long the database takes to answer nothing at all", facts["value"])

    def _queue(self, units: Mapping[str, Any]) -> Iterator[Metric]:
        yield _one("queue_age_seconds", "How long the oldest due step has waited", _most(units.values(), "value"))
        yield _one("steps_due", "Steps that are due and not claimed", _sum(units.values(), "due"))

    def _leases(self, units: Mapping[str, Any]) -> Iterator[Metric]:
        yield _one("attempts_running", "Attempts under a lease", _sum(units.values(), "running"))
        yield _one(
            "oldest_attempt_seconds", "Since the oldest running attempt was claimed", _most(units.values(), "oldest")
        )
        yield _one("leases_past", "Leases past their time whose attempt still runs", _sum(units.values(), "past"))

    def _approvals(self, units: Mapping[str, Any]) -> Iterator[Metric]:
        mine = self._mine(units)
        yield _one("approvals_waiting", "Requests that wait for people, of the token's unit", _sum(mine, "waiting"))
        yield _one("approvals_overdue", "Those past their time to decide", _sum(mine, "overdue"))
        yield _one("oldest_approval_seconds", "How long the oldest has waited", _most(mine, "value"))

    def _letters(self, units: Mapping[str, Any]) -> Iterator[Metric]:
        mine = self._mine(units)
        counts = {state: _sum(mine, state) for state in DeadLetterStatus.values}
        yield _many("dead_letters", "Dead letters of the token's unit, by state", "state", counts)

    def _workers(self, hosts: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
        hosts = list(hosts)
        yield _one("workers", "Worker hosts that have not ended", len(hosts))
        yield _one("worker_silence_seconds", "Since the most silent of them was heard", _most(hosts, "beat_age"))
        yield _one(
            "sweep_age_seconds", "Since the last sweep of any", min((one["swept_age"] or 0 for one in hosts), default=0)
        )

    def _breakers(self, counts: Mapping[str, int]) -> Iterator[Metric]:
        yield _many("breakers", "Breakers of limits in force, by state", "state", _all(BreakerStatus.values, counts))

    def _attempts(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        counts = _all(AttemptStatus.values, facts["outcomes"])
        yield _many("attempts_recent", "Attempts claimed in the last five minutes, by how they are", "outcome", counts)
        yield _one("claims_per_second", "Claims in the last minute", facts["claimed"] / 60)

    def _connections(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        yield _one("connections_used", "Client connections of the database server", facts["used"])
        yield _one("connections_most", "How many it allows", facts["most"])

    def _traces(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        """Nothing where it is switched off."""
        if facts:
            yield _one("trace_export_lag_seconds", "How far behind the trace sink is", facts["value"])
            yield _one("trace_export_failures", "Tries that failed since it took the last spans", facts["failures"])
            yield _one("trace_export_set_aside", "Spans it refused for good, kept to be sent again", facts["aside"])

    def _budgets(self, facts: Mapping[str, Any]) -> Iterator[Metric]:
        """Of the token's unit; those of every unit for who sees every unit, as on the page."""
        sees_all = {UUID(unit) for unit in facts["units"]} <= self._units
        rows = facts["rows"]
        mine = [one for one in rows if (UUID(one["unit_id"]) in self._units if one["unit_id"] else sees_all)]
        shown = mine[:MOST_BUDGETS]
        for name, says, key in (
            ("limit", "What a budget of the token's unit allows in a window", "limit"),
            ("spent", "What was spent in its window of now", "spent"),
            ("reserved", "What those under way may still use of it", "reserved"),
            ("window_end_timestamp_seconds", "When it begins anew; missing where it never does", "ends"),
            ("blocked_executions", "Executions that wait for room in it", "blocked"),
        ):
            yield _of_budgets(name, says, [(one, one[key]) for one in shown if one[key] is not None])
        yield _one("budgets_left_out", f"Budgets in force beyond the {MOST_BUDGETS} shown", len(mine) - len(shown))

    def _outbox(self) -> Iterator[Metric]:
        facts = {"people": self._found.get("notices"), "webhooks": self._found.get("webhooks")}
        known = {target: one for target, one in facts.items() if one is not None}
        lags = {target: one["value"] for target, one in known.items()}
        yield _many("outbox_lag_seconds", "How late the oldest message is, since first due", "target", lags)
        yield _many(
            "outbox_waiting", "Messages that are late", "target", {key: one["waiting"] for key, one in known.items()}
        )

    def _mine(self, units: Mapping[str, Any]) -> list[Any]:
        return [one for unit, one in units.items() if UUID(unit) in self._units]


def _one(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(f"holdpoint_{name}", says, value=value)


def _many(name: str, says: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"holdpoint_{name}", says, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _of_budgets(name: str, says: str, values: Iterable[tuple[Mapping[str, Any], float]]) -> Metric:
    family = GaugeMetricFamily(f"holdpoint_budget_{name}", says, labels=["budget", "measured_in"])
    for one, value in values:
        family.add_metric([one["name"], one["measured_in"]], float(value))
    return family


def _all(known: Iterable[str], counts: Mapping[str, int]) -> dict[str, float]:
    return {state: counts.get(state, 0) for state in known}


def _sum(facts: Iterable[Mapping[str, Any]], key: str) -> float:
    return float(sum(one.get(key) or 0 for one in facts))


def _most(facts: Iterable[Mapping[str, Any]], key: str) -> float:
    return max((float(one.get(key) or 0) for one in facts), default=0.0)
