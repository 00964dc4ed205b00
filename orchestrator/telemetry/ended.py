"""Our own parts that have ended, read from the rows they are about: what the trail says closed, in the order it was closed.

By closed transactions: what commits late is read late, and never skipped. A place in the trail is (transaction, id of the line).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

# Execution, attempt, call and approval, each with the words of its ends. An attempt that was handed back unstarted was none.
ENDS = {
    "execution": ("succeeded", "failed", "cancelled", "timed_out"),
    "attempt": ("succeeded", "failed", "parked", "lost"),
    "action": ("succeeded", "failed", "denied"),
    "approval_request": ("approved", "rejected", "answered", "expired", "withdrawn", "void"),
}
EVENTS = [f"{noun}.{word}" for noun, words in ENDS.items() for word in words]
# Transactions that one look covers: a sink that was away for a day is caught up with in pieces.
STEP = 20_000
CLOSED = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, clock_timestamp()"
_ENDED = """
SELECT * FROM (
  SELECT written_in, id, event, at, object_id FROM audit_auditevent
  WHERE written_in >= %(since)s AND written_in < %(until)s AND event = ANY(%(events)s)
  UNION ALL
  SELECT written_in::text::bigint, id, 'model.' || coalesce(call->>'outcome', 'called'), at, id FROM budgets_ledgerentry
  WHERE written_in >= %(since)s::text::xid8 AND written_in < %(until)s::text::xid8 AND kind = 'model' AND span_id IS NULL
) AS ended (written_in, id, event, at, object_id)
WHERE (written_in, id) > (%(since)s, %(last)s) ORDER BY written_in, id LIMIT %(most)s
"""
# The attempt that was at work when something happened in a step.
AT_WORK = """LEFT JOIN LATERAL (
  SELECT t.id FROM orchestrator_attempt AS t WHERE t.step_id = {step} AND t.claimed_at <= {at}
  ORDER BY t.number DESC LIMIT 1) AS work ON true"""
# The attempt of an agent's step that was at work when a model was called for it.
CALLED_BY = """LEFT JOIN LATERAL (
  SELECT t.id FROM orchestrator_step AS s JOIN orchestrator_attempt AS t ON t.step_id = s.id
  WHERE s.execution_id = l.execution_id AND s.spec->>'agent' = l.agent AND t.claimed_at <= l.at
  ORDER BY t.claimed_at DESC LIMIT 1) AS work"""
_FACTS = {
    "execution": """
SELECT e.id, e.trace_id, p.id AS parent_id, e.unit_id, e.created_at AS started_at, e.workflow,
  r.version || ' ' || r.digest AS release
FROM orchestrator_execution AS e JOIN orchestrator_release AS r ON r.id = e.release_id
LEFT JOIN orchestrator_execution AS p ON p.id = e.parent_id AND p.trace_id = e.trace_id WHERE e.id = ANY(%s)""",
    "attempt": """
SELECT t.id, e.trace_id, e.id AS parent_id, t.unit_id, coalesce(t.started_at, t.claimed_at) AS started_at, s.key,
  coalesce(s.spec->>'agent', '') AS agent, t.number, t.failure_class
FROM orchestrator_attempt AS t JOIN orchestrator_step AS s ON s.id = t.step_id
JOIN orchestrator_execution AS e ON e.id = s.execution_id WHERE t.id = ANY(%s)""",
    "action": f"""
SELECT a.id, coalesce(e.trace_id, a.trace_id, a.id) AS trace_id, coalesce(work.id, e.id) AS parent_id, a.unit_id,
  coalesce(a.redeemed_at, a.created_at) AS started_at, a.tool, a.agent, a.digest, a.policy_version, a.failure_class,
  a.arguments, a.result
FROM orchestrator_action AS a LEFT JOIN orchestrator_execution AS e ON e.id = a.execution_id
{AT_WORK.format(step="a.step_id", at="a.created_at")} WHERE a.id = ANY(%s)""",
    "approval_request": f"""
SELECT r.id, coalesce(e.trace_id, a.trace_id, a.id, r.subject_id) AS trace_id, coalesce(work.id, e.id) AS parent_id, r.unit_id,
  r.created_at AS started_at, r.tool, r.digest, r.policy_version, a.id AS action_id
FROM approvals_approvalrequest AS r LEFT JOIN orchestrator_action AS a ON a.id = r.subject_id
LEFT JOIN orchestrator_execution AS e ON e.id = coalesce(a.execution_id, r.execution_id)
{AT_WORK.format(step="coalesce(a.step_id, r.subject_id)", at="r.created_at")} WHERE r.id = ANY(%s)""",
    "model": f"""
SELECT l.id, coalesce(e.trace_id, a.trace_id, l.action_id, l.id) AS trace_id,
  coalesce(l.action_id, work.id, e.id) AS parent_id, l.unit_id,
  l.at AS started_at, l.model, l.provider, l.agent, l.input_tokens, l.output_tokens, l.cached_input_tokens,
  l.cache_write_tokens, l.reasoning_tokens, l.amount, l.currency, l.call, a.digest, a.verdict, a.policy_version,
  r.version || ' ' || r.digest AS release, coalesce(e.requester, a.requester) AS requester
FROM budgets_ledgerentry AS l LEFT JOIN orchestrator_execution AS e ON e.id = l.execution_id
LEFT JOIN orchestrator_release AS r ON r.id = e.release_id LEFT JOIN orchestrator_action AS a ON a.id = l.action_id
{CALLED_BY} ON true WHERE l.id = ANY(%s)""",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """One part that ended: how, when, and what its row says."""

    written_in: int
    id: UUID
    noun: str
    outcome: str
    at: datetime
    facts: dict[str, Any]


def closed() -> tuple[int, datetime]:
    """The first transaction that may still be open, and the moment this was true."""
    with connection.cursor() as cursor:
        cursor.execute(CLOSED)
        found: tuple[int, datetime] = cursor.fetchone()
    return found


def ended(since: int, last: UUID, until: int, most: int) -> list[Ended]:
    """The next so many that ended behind this place, in the order of the trail."""
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"since": since, "last": last, "until": until, "events": EVENTS, "most": most})
        rows = cursor.fetchall()
    facts = {noun: _facts(noun, [row[4] for row in rows if _noun(row[2]) == noun]) for noun in _FACTS}
    return [
        Ended(written_in, line, _noun(event), event.partition(".")[2], at, facts[_noun(event)].get(part, {}))
        for written_in, line, event, at, part in rows
    ]


def _noun(event: str) -> str:
    return event.partition(".")[0]


def _facts(noun: str, ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    wanted = list(ids)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FACTS[noun], [wanted])
        names = [column.name for column in cursor.description or []]
        return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
