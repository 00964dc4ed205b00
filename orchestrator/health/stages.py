"""Latency by stage: where the time of a success went, from asked for to finished. Definitions: docs/kpis.md.

Every moment is in one stage, so the stages of an execution add up to its end to end. What happens at once counts as the first
that holds: a handler runs, people are asked, an outcome is looked up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.health.levels import GROUPS, Span, rows_of

# The stage's name in the file and over the API, and its header.
STAGES: Mapping[str, str] = {
    "queued": "Before it began",
    "running": "Running",
    "people": "Waiting for people",
    "reconciling": "Reconciling",
    "between": "Between steps",
}

_SECONDS = "COALESCE((SELECT sum(extract(epoch FROM upper(part) - lower(part))) FROM unnest({}) AS part), 0)::float"
_FIGURES = ", ".join(
    f"percentile_cont({share}) WITHIN GROUP (ORDER BY {name}) AS {name}_p{called}"
    for name in STAGES
    for share, called in ((0.5, "50"), (0.95, "95"))
)
_SHARES = ", ".join(f"100 * sum({name}) / NULLIF(sum(took), 0) AS {name}_percent" for name in STAGES)
_STAGES = f"""
WITH runs AS MATERIALIZED (
  SELECT id, workflow, unit_title, release_id, created_at, finished_at,
    tstzmultirange(tstzrange(created_at, finished_at)) AS life, extract(epoch FROM finished_at - created_at)::float AS took
  FROM orchestrator_execution
  WHERE unit_id = ANY (%(units)s) AND created_at >= %(since)s AND created_at < %(until)s AND workflow NOT LIKE 'undo:%%'
    AND status = 'succeeded' AND finished_at >= created_at
), lines (execution_id, called, agent) AS (
  SELECT id, NULL, '' FROM runs UNION ALL {{lines}}
), ran AS (
  SELECT s.execution_id, range_agg(tstzrange(a.started_at, a.finished_at)) AS spans
  FROM runs JOIN orchestrator_step AS s ON s.execution_id = runs.id JOIN orchestrator_attempt AS a ON a.step_id = s.id
  WHERE a.started_at <= a.finished_at GROUP BY s.execution_id
), asked AS (
  SELECT r.execution_id, range_agg(tstzrange(r.created_at, r.resolved_at)) AS spans
  FROM approvals_approvalrequest AS r JOIN runs ON runs.id = r.execution_id
  WHERE NOT r.is_test AND r.created_at <= r.resolved_at GROUP BY r.execution_id
), doubted AS (
  SELECT c.execution_id, range_agg(tstzrange(e.at, settled.at)) AS spans
  FROM audit_auditevent AS e JOIN orchestrator_action AS c ON c.id = e.object_id JOIN runs ON runs.id = c.execution_id
  CROSS JOIN LATERAL (
    SELECT min(n.at) AS at FROM audit_auditevent AS n WHERE n.object_id = e.object_id AND n.before = 'unknown' AND n.at >= e.at
  ) AS settled
  WHERE e.event = 'action.unknown' AND e.at >= %(since)s GROUP BY c.execution_id
), cut AS (
  SELECT runs.*, ran.spans * life AS ran, COALESCE(asked.spans, '{{{{}}}}') * life - ran.spans AS people,
    COALESCE(doubted.spans, '{{{{}}}}') * life - ran.spans - COALESCE(asked.spans, '{{{{}}}}') AS doubt
  FROM runs JOIN ran ON ran.execution_id = runs.id LEFT JOIN asked ON asked.execution_id = runs.id
  LEFT JOIN doubted ON doubted.execution_id = runs.id
), spent AS (
  SELECT cut.id, took, COALESCE(extract(epoch FROM lower(ran + people + doubt) - created_at)::float, took) AS queued,
    {_SECONDS.format("ran")} AS running, {_SECONDS.format("people")} AS people, {_SECONDS.format("doubt")} AS reconciling
  FROM cut
), facts AS (
  SELECT spent.*, GREATEST(took - queued - running - people - reconciling, 0) AS "between" FROM spent
)
SELECT COALESCE(lines.called, '') AS called, count(*) AS staged, {_FIGURES}, {_SHARES}
FROM lines JOIN facts ON facts.id = lines.execution_id
GROUP BY lines.called ORDER BY lines.called IS NOT NULL, count(*) DESC, 1 LIMIT 101
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Seconds, and per cent of all the time of the line."""

    median: float | None
    most: float | None
    percent: float | None


@dataclass(frozen=True, slots=True)
class Stages:
    """One line, and of how many executions it tells."""

    called: str
    staged: int
    stages: Mapping[str, Stage]


def stages(span: Span, *, by: str = "workflow") -> list[Stages]:
    """The line of all first, then the groups with most; none where nothing succeeded."""
    return [_stages(row) for row in rows_of(_STAGES.format(lines=GROUPS[by]), span)]


def _stages(row: Mapping[str, Any]) -> Stages:
    parts = {name: Stage(row[f"{name}_p50"], row[f"{name}_p95"], row[f"{name}_percent"]) for name in STAGES}
    return Stages(row["called"], row["staged"], parts)
