"""Time to resolution: of what came up in a range, how much is over, and how long that took. Definitions: docs/kpis.md.

Three things wait for somebody, each by the moments that the trail keeps of it: dead letters, unknown outcomes, alerts.
"""

from dataclasses import dataclass

from orchestrator.health.level_rows import Span, rows_of

# What waits, and its header.
KINDS = {"letters": "Dead letters", "doubts": "Unknown outcomes", "alerts": "Alerts"}

_RESOLUTION = """
WITH letters AS (
  SELECT extract(epoch FROM (
    SELECT min(e.at) FROM audit_auditevent AS e
    WHERE e.object_id = d.id AND e.event IN ('dead_letter.fixed', 'dead_letter.discarded', 'dead_letter.ended')
  ) - d.first_at)::float AS took, d.status IN ('open', 'redriven') AS is_open
  FROM orchestrator_deadletter AS d
  WHERE d.unit_id = ANY (%(units)s) AND d.last_at >= %(since)s AND d.first_at >= %(since)s AND d.first_at < %(until)s
), arose AS (
  SELECT e.object_id, min(e.at) AS at FROM audit_auditevent AS e
  WHERE e.event = 'action.unknown' AND e.at >= %(since)s AND e.at < %(until)s GROUP BY e.object_id
), doubts AS (
  SELECT extract(epoch FROM (
    SELECT max(e.at) FROM audit_auditevent AS e WHERE e.object_id = c.id AND e.before = 'unknown' AND e.at >= arose.at
  ) - arose.at)::float AS took, c.status = 'unknown' AS is_open
  FROM arose JOIN orchestrator_action AS c ON c.id = arose.object_id WHERE c.unit_id = ANY (%(units)s)
), opened AS (
  SELECT a.id, a.status, a.resolved_at, (
    SELECT max(e.at) FROM audit_auditevent AS e WHERE e.object_id = a.id AND e.event = 'raised_alert.open') AS at
  FROM orchestrator_alert AS a
  WHERE a.unit_id = ANY (%(units)s) AND (a.resolved_at IS NULL OR a.resolved_at >= %(since)s)
), alerts AS (
  SELECT extract(epoch FROM resolved_at - at)::float AS took, status <> 'resolved' AS is_open
  FROM opened WHERE at >= %(since)s AND at < %(until)s
), every AS (
  SELECT 'letters' AS kind, * FROM letters UNION ALL SELECT 'doubts', * FROM doubts UNION ALL SELECT 'alerts', * FROM alerts
)
SELECT kind, count(*) FILTER (WHERE NOT is_open) AS resolved, count(*) FILTER (WHERE is_open) AS open,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE NOT is_open) AS median,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY took) FILTER (WHERE NOT is_open) AS most
FROM every GROUP BY kind
"""


@dataclass(frozen=True, slots=True)
class Resolution:
    """Of what came up: how many are over, how many still wait, and the seconds that the first took."""

    kind: str
    resolved: int = 0
    open: int = 0
    median: float | None = None
    most: float | None = None


def resolutions(span: Span) -> list[Resolution]:
    """One of each kind, whether anything came up or not."""
    found = {row["kind"]: Resolution(**row) for row in rows_of(_RESOLUTION, span.values)}
    return [found.get(kind, Resolution(kind)) for kind in KINDS]
