"""The parts of a trace, read from the rows that are the evidence themselves: nothing is written a second time to be drawn.

A part has one shape wherever it comes from. Two reviewers of an open request are blind to each other, so decisions are
parts only once the request is resolved.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from orchestrator.queries.costs import Cost
from orchestrator.telemetry.ended import AT_WORK, CALLED_BY

# More parts than this nobody opens as one picture, and whoever sends more under one id fills nobody's memory: the page says
# so and shows the first.
MOST_PARTS = 50_000
# What each source calls its own end, in the five words a trace knows.
OK, ERROR, REFUSED, WAITING, RUNNING = "ok", "error", "refused", "waiting", "running"
STATES = {
    **dict.fromkeys(("succeeded", "undone", "answered", "parked", "released", "approved", "used", "allow", "hold", "ok"), OK),
    **dict.fromkeys(("approve", "answer", "reject"), OK),
    **dict.fromkeys(("failed", "dead_lettered", "timed_out", "lost", "unknown", "error"), ERROR),
    **dict.fromkeys(("denied", "rejected", "expired", "withdrawn", "void", "cancelled", "deny", "refused"), REFUSED),
    **dict.fromkeys(("waiting", "held", "sent_back", "granted", "pending", "queued", "proposed"), WAITING),
}  # fmt: skip

# Steps and calls wrote spans beside themselves once; those rows stay, and are the same parts again. Anybody may send spans
# under an id that he was told: those of other units are no part of this trace, and are not even counted (I33).
PARTS = f"""
WITH acts AS (SELECT * FROM orchestrator_action AS a WHERE execution_id = ANY(%(runs)s)
  OR (trace_id = %(trace)s AND unit_id = ANY(%(units)s))
  OR (id = %(trace)s AND NOT EXISTS (SELECT FROM orchestrator_execution AS e WHERE e.id = a.execution_id)))
SELECT e.id, CASE WHEN e.parent_id = ANY(%(runs)s) THEN e.parent_id END AS parent_id, e.unit_id, e.id AS execution_id,
  'execution' AS kind, e.workflow AS name, e.created_at AS started_at, e.finished_at AS ended_at, e.status, '' AS note
FROM orchestrator_execution AS e WHERE e.id = ANY(%(runs)s)
UNION ALL
SELECT t.id, s.execution_id, t.unit_id, s.execution_id, 'step', s.key, coalesce(t.started_at, t.claimed_at),
  t.finished_at, t.status,
  concat_ws(', ', CASE WHEN t.number > 1 THEN 'attempt ' || t.number END,
    CASE WHEN s.spec->>'stands_in_for' <> '' THEN 'stands in for ' || (s.spec->>'stands_in_for') END)
FROM orchestrator_step AS s JOIN orchestrator_attempt AS t ON t.step_id = s.id WHERE s.execution_id = ANY(%(runs)s)
UNION ALL
SELECT a.id, coalesce(work.id, a.execution_id), a.unit_id, a.execution_id, 'tool', a.tool, a.created_at, a.finished_at,
  a.status, CASE WHEN a.revision > 1 THEN 'revision ' || a.revision ELSE '' END
FROM acts AS a {AT_WORK.format(step="a.step_id", at="a.created_at")}
UNION ALL
SELECT md5('policy ' || a.id)::uuid, a.id, a.unit_id, a.execution_id, 'policy', a.verdict, a.created_at, a.created_at,
  a.verdict, '' FROM acts AS a WHERE a.verdict <> ''
UNION ALL
SELECT r.id, a.id, r.unit_id, r.execution_id, 'approval', r.title, r.created_at, r.resolved_at, r.status,
  r.required || ' to sign' FROM acts AS a JOIN approvals_approvalrequest AS r ON r.id = a.approval_id
UNION ALL
SELECT r.id, coalesce(work.id, r.execution_id), r.unit_id, r.execution_id, 'approval', r.title, r.created_at,
  r.resolved_at, r.status, r.required || ' to sign'
FROM approvals_approvalrequest AS r {AT_WORK.format(step="r.subject_id", at="r.created_at")}
WHERE r.execution_id = ANY(%(runs)s) AND r.tool LIKE 'step:%%'
UNION ALL
SELECT d.id, r.id, r.unit_id, r.execution_id, 'decision', d.verdict, d.at, d.at, d.verdict, d.reason_code
FROM approvals_approvalrequest AS r JOIN approvals_decision AS d ON d.request_id = r.id
WHERE r.resolved_at IS NOT NULL
  AND (r.id IN (SELECT approval_id FROM acts) OR (r.execution_id = ANY(%(runs)s) AND r.tool LIKE 'step:%%'))
UNION ALL
SELECT l.id, coalesce(l.action_id, work.id, l.execution_id), l.unit_id, l.execution_id, 'model',
  coalesce(nullif(l.model, ''), 'model'), l.at, l.at, coalesce(l.call->>'outcome', 'ok'), l.provider
FROM budgets_ledgerentry AS l {CALLED_BY} ON l.action_id IS NULL
WHERE l.execution_id = ANY(%(runs)s) AND l.kind = 'model' AND l.span_id IS NULL
UNION ALL
SELECT p.id, p.parent_id, p.unit_id, NULL, p.kind, p.name, p.started_at, p.ended_at, p.status, 'reported'
FROM audit_span AS p WHERE p.trace_id = %(trace)s AND p.unit_id = ANY(%(units)s) AND NOT (p.agent = '' AND (
  p.kind = 'step' AND p.attributes ? 'attempt' OR p.kind = 'tool' AND p.attributes ?& ARRAY['digest', 'verdict']))
"""
# Each way to a line has its index. A correction belongs where the line it corrects belongs; what was unknown and is
# corrected is known.
COSTS = """
SELECT coalesce(first.span_id, CASE WHEN first.kind = 'model' THEN first.id END, first.action_id, first.execution_id) AS part,
  l.currency, coalesce(sum(l.amount), 0) AS amount,
  count(*) FILTER (WHERE l.kind <> 'correction') AS lines,
  count(*) FILTER (WHERE l.basis = 'unknown' AND NOT EXISTS (
    SELECT FROM budgets_ledgerentry AS fix WHERE fix.corrects_id = l.id)) AS unknown,
  count(*) FILTER (WHERE l.basis = 'estimated') AS estimated,
  coalesce(sum(l.input_tokens), 0) AS input_tokens, coalesce(sum(l.output_tokens), 0) AS output_tokens
FROM budgets_ledgerentry AS l JOIN budgets_ledgerentry AS first ON first.id = coalesce(l.corrects_id, l.id)
WHERE l.id IN (
  SELECT id FROM budgets_ledgerentry WHERE execution_id = ANY(%(runs)s)
  UNION ALL SELECT id FROM budgets_ledgerentry WHERE execution_id IS NULL AND action_id = ANY(%(acts)s)
  UNION ALL SELECT id FROM budgets_ledgerentry WHERE execution_id = ANY(%(elsewhere)s) AND action_id = ANY(%(acts)s)
  UNION ALL SELECT id FROM budgets_ledgerentry WHERE span_id = ANY(%(spans)s))
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One timed part. `parent_id` names another part, or nothing that this trace holds: then it hangs from the root."""

    id: UUID
    parent_id: UUID | None
    unit_id: UUID
    execution_id: UUID | None
    kind: str
    name: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    note: str

    @property
    def state(self) -> str:
        """One of ok, error, refused, waiting, running."""
        return STATES.get(self.status, OK if self.ended_at else RUNNING)


@dataclass(frozen=True, slots=True)
class Spent:
    """One currency's sum of one part."""

    part: UUID
    cost: Cost


def parts_of(trace_id: UUID, runs: Iterable[UUID], units: Iterable[UUID] = ()) -> list[Part]:
    """The parts, earliest first: MOST_PARTS, and one more where there are more. `runs` are the executions of the trace; reported
    spans are those of `units`.
    """
    given = {"trace": trace_id, "runs": list(runs), "units": list(units), "most": MOST_PARTS + 1}
    rows = _rows(PARTS + " ORDER BY started_at, id LIMIT %(most)s", given)
    return [Part(*row) for row in rows]


def spent_on(parts: Iterable[Part], runs: Iterable[UUID]) -> list[Spent]:
    """What the ledger says of these parts, by part and currency."""
    parts, ours = list(parts), set(runs)
    acts = [part for part in parts if part.kind == "tool" and part.execution_id not in ours]
    given = {
        "runs": list(ours),
        "acts": [part.id for part in acts],
        # Runs of other systems that these calls name.
        "elsewhere": list({part.execution_id for part in acts if part.execution_id}),
        "spans": [part.id for part in parts if part.note == "reported"],
    }
    return [_spent(*row) for row in _rows(COSTS, given)]


def _spent(part: UUID, currency: str, amount: Decimal, *counted: int) -> Spent:
    """No currency: lines of which nobody knows the cost."""
    lines, unknown, estimated, given, made = counted
    amounts = ((currency, amount),) if currency else ()
    return Spent(part, Cost(amounts, given, made, lines, unknown, estimated))


def _rows(statement: str, given: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall())
