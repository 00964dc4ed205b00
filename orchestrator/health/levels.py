"""Service levels: how executions ended, how long they took and what they cost, counted from stored rows for a range of time.

Every figure is of executions that were asked for in the range, undoing ones left out. What nobody knows is None, never 0.
Definitions, one by one: docs/kpis.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from orchestrator.health.ranges import Range, defaults

# Below so many executions a figure is shown with a warning, and raises no alert.
FEW = 20
# What the lines of a page are: executions with the name of a line each stands in, and the agent whose calls it counts there.
GROUPS = {
    "workflow": "SELECT id, workflow, '' FROM runs",
    "unit": "SELECT id, unit_title, '' FROM runs",
    "release": "SELECT runs.id, runs.workflow || ' ' || release.version || ' (' || left(release.digest, 8) || ')', '' "
    "FROM runs JOIN orchestrator_release AS release ON release.id = runs.release_id",
    # In the line of every agent that proposed a call in it.
    "agent": "SELECT DISTINCT c.execution_id, c.agent, c.agent "
    "FROM orchestrator_action AS c JOIN runs ON runs.id = c.execution_id",
}
_CALLS_OF = {"agent": "COALESCE(c.agent, '') AS agent"}
_CALLS_PER = {"agent": "GROUPING SETS ((c.execution_id), (c.execution_id, c.agent))"}

_LEVELS = """
WITH runs AS MATERIALIZED (
  SELECT id, workflow, unit_title, release_id, status, finished_at, extract(epoch FROM finished_at - created_at)::float AS took
  FROM orchestrator_execution
  WHERE unit_id = ANY (%(units)s) AND created_at >= %(since)s AND created_at < %(until)s AND workflow NOT LIKE 'undo:%%'
), lines (execution_id, called, agent) AS (
  SELECT id, NULL, '' FROM runs UNION ALL {lines}
), busy AS (
  SELECT s.execution_id, range_agg(tstzrange(a.started_at, a.finished_at)) AS spans,
    bool_or(a.status NOT IN ('succeeded', 'parked')) AS disturbed
  FROM runs JOIN orchestrator_step AS s ON s.execution_id = runs.id JOIN orchestrator_attempt AS a ON a.step_id = s.id
  WHERE a.started_at <= a.finished_at GROUP BY s.execution_id
), asked AS (
  SELECT r.execution_id, range_agg(tstzrange(r.created_at, r.resolved_at)) AS spans
  FROM approvals_approvalrequest AS r JOIN runs ON runs.id = r.execution_id
  WHERE NOT r.is_test AND r.created_at <= r.resolved_at GROUP BY r.execution_id
), escalated AS (
  SELECT DISTINCT r.execution_id FROM approvals_approvalrequest AS r JOIN runs ON runs.id = r.execution_id WHERE NOT r.is_test
), stuck AS (
  SELECT DISTINCT d.execution_id FROM orchestrator_deadletter AS d JOIN runs ON runs.id = d.execution_id
), undone AS (
  SELECT DISTINCT u.parent_id FROM orchestrator_execution AS u JOIN runs ON runs.id = u.parent_id
  WHERE u.workflow LIKE 'undo:%%'
), paid AS (
  SELECT l.execution_id, sum(l.amount) AS amount,
    bool_and(l.currency = 'USD' OR l.amount IS NULL) AND NOT bool_or(l.basis = 'unknown' AND NOT EXISTS (
      SELECT 1 FROM budgets_ledgerentry AS c WHERE c.corrects_id = l.id)) AS known
  FROM budgets_ledgerentry AS l JOIN runs ON runs.id = l.execution_id GROUP BY l.execution_id
), calls AS (
  SELECT c.execution_id, {calls_of}, count(*) AS proposed, count(*) FILTER (WHERE c.status = 'denied') AS denied
  FROM orchestrator_action AS c JOIN runs ON runs.id = c.execution_id GROUP BY {calls_per}
), facts AS (
  SELECT runs.*, paid.amount, COALESCE(paid.known, false) AS known,
    escalated.execution_id IS NOT NULL AS is_escalated, undone.parent_id IS NOT NULL AS is_undone,
    stuck.execution_id IS NOT NULL AS is_stuck,
    CASE WHEN runs.status = 'succeeded' AND NOT busy.disturbed THEN runs.took - (
      SELECT COALESCE(sum(extract(epoch FROM upper(part) - lower(part))), 0)::float
      FROM unnest(CASE WHEN asked.spans IS NULL THEN busy.spans ELSE busy.spans + asked.spans END) AS part) END AS overhead
  FROM runs
  LEFT JOIN busy ON busy.execution_id = runs.id LEFT JOIN asked ON asked.execution_id = runs.id
  LEFT JOIN escalated ON escalated.execution_id = runs.id LEFT JOIN stuck ON stuck.execution_id = runs.id
  LEFT JOIN undone ON undone.parent_id = runs.id LEFT JOIN paid ON paid.execution_id = runs.id
)
SELECT COALESCE(lines.called, '') AS called, count(*) AS asked,
  count(*) FILTER (WHERE status IN ('succeeded', 'failed', 'timed_out', 'dead_lettered')) AS ended,
  count(*) FILTER (WHERE status = 'succeeded') AS succeeded,
  count(*) FILTER (WHERE finished_at IS NOT NULL AND status <> 'dead_lettered') AS completed,
  count(*) FILTER (WHERE is_escalated) AS escalated,
  count(*) FILTER (WHERE is_undone) AS undone,
  count(*) FILTER (WHERE is_stuck OR status IN ('failed', 'timed_out')) AS leaked,
  sum(calls.proposed)::bigint AS proposed, sum(calls.denied)::bigint AS denied,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE status = 'succeeded') AS took_p50,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY took) FILTER (WHERE status = 'succeeded') AS took_p95,
  count(overhead) AS measured,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY overhead) AS overhead_p50,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY overhead) AS overhead_p95,
  count(*) FILTER (WHERE status = 'succeeded' AND known) AS priced,
  (avg(amount) FILTER (WHERE status = 'succeeded' AND known))::float AS cost
FROM lines JOIN facts ON facts.id = lines.execution_id
LEFT JOIN calls ON calls.execution_id = lines.execution_id AND calls.agent = lines.agent
GROUP BY lines.called ORDER BY lines.called IS NOT NULL, count(*) DESC, 1 LIMIT 101
"""
_FAILING_STEP = """
SELECT e.workflow || ' / ' || s.key AS name, count(DISTINCT e.id) AS number
FROM orchestrator_execution AS e JOIN orchestrator_step AS s ON s.execution_id = e.id
WHERE e.unit_id = ANY (%(units)s) AND e.created_at >= %(since)s AND e.created_at < %(until)s AND e.workflow NOT LIKE 'undo:%%'
  AND e.status IN ('failed', 'timed_out', 'dead_lettered') AND s.status IN ('dead_letter', 'business_error', 'system_error')
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1
"""
_SPENDER = """
SELECT COALESCE(NULLIF(l.tool, ''), NULLIF(l.agent, ''), NULLIF(l.model, ''), l.kind) AS name, sum(l.amount)::float AS spent,
  (sum(sum(l.amount)) OVER ())::float AS whole
FROM budgets_ledgerentry AS l JOIN orchestrator_execution AS e ON e.id = l.execution_id
WHERE e.unit_id = ANY (%(units)s) AND e.created_at >= %(since)s AND e.created_at < %(until)s AND e.workflow NOT LIKE 'undo:%%'
  AND l.currency = 'USD'
GROUP BY 1 HAVING sum(l.amount) > 0 ORDER BY 2 DESC, 1 LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which executions: those of these units that were asked for from `since` to before `until`."""

    units: frozenset[UUID]
    since: datetime
    until: datetime

    @property
    def values(self) -> dict[str, Any]:
        return {"units": list(self.units), "since": self.since, "until": self.until}


@dataclass(frozen=True, slots=True)
class Level:
    """One line: all executions, or those of one workflow, unit, release or agent."""

    called: str
    counts: Mapping[str, int]
    times: Mapping[str, float | None]
    cost: float | None

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
    text = _LEVELS.format(
        lines=GROUPS[by], calls_of=_CALLS_OF.get(by, "'' AS agent"), calls_per=_CALLS_PER.get(by, "c.execution_id")
    )
    return [
        Level(
            row["called"], {name: row[name] or 0 for name in COUNTS}, {name: row[name] for name in TIMES}, row["cost"]
        )
        for row in rows_of(text, span)
    ] or [Level("", dict.fromkeys(COUNTS, 0), dict.fromkeys(TIMES), None)]


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
        found = rows_of(_FAILING_STEP, span)
        return f"{found[0]['name']}: {found[0]['number']} of {failed} failures" if found else ""
    if key == "cost":
        found = rows_of(_SPENDER, span)
        if not found:
            return ""
        name, spent, all_spent = found[0].values()
        return f"{name}: USD {spent:.2f} of {all_spent:.2f}, {100 * spent / all_spent:.0f} %"
    slow = [one for one in groups if one.times["overhead_p95"] is not None]
    worst = max(slow, key=lambda one: (one.times["overhead_p95"] or 0) * one.counts["measured"], default=None)
    if worst is None:
        return ""
    return f"{worst.called}: 95 % below {worst.times['overhead_p95']:.2f} s in {worst.counts['measured']} executions"


def rows_of(sql: str, span: Span) -> list[dict[str, Any]]:
    """What the statement says of the span, by column."""
    with connection.cursor() as cursor:
        cursor.execute(sql, span.values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
