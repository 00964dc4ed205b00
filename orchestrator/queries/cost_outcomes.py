"""What a success costs, with what came to nothing on the way: of the executions asked for in a range of days, all they cost.

How an execution ends is not known when its lines are written, so this joins when it is asked. Every line is in one bucket
only, so buckets add up to what was spent.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from orchestrator.queries.cost_report import NOUGHT, Span

OUTCOMES = ("succeeded", "failed", "turned_down", "under_way")
# Reviewing and tries that were repeated are apart, whatever became of the execution.
BUCKETS = (*OUTCOMES, "repeated", "review")
WASTE = ("failed", "turned_down", "repeated", "review")
MOST_DAYS = 92

# A try that failed or was lost and was made again: from its claim to the next one, what its agent or its calls cost was for
# nothing. A parked try is not repeated, it goes on.
_RUNS = """
WITH runs AS MATERIALIZED (
  SELECT e.id, e.workflow, CASE
    WHEN e.status = 'succeeded' THEN 'succeeded'
    WHEN e.status = 'cancelled' THEN 'turned_down'
    WHEN e.status NOT IN ('failed', 'timed_out', 'dead_lettered') THEN 'under_way'
    WHEN EXISTS (SELECT FROM orchestrator_action AS a WHERE a.execution_id = e.id AND a.status = 'rejected') THEN 'turned_down'
    ELSE 'failed' END AS outcome
  FROM orchestrator_execution AS e
  WHERE e.unit_id = ANY(%(units)s) AND e.created_at >= %(since)s AND e.created_at < %(until)s AND e.workflow NOT LIKE 'undo:%%'
)
"""
_COUNTS = f"{_RUNS} SELECT workflow, outcome, count(*) AS executions FROM runs GROUP BY workflow, outcome"
_MONEY = f"""{_RUNS}, tries AS (
  SELECT s.execution_id, s.id AS step_id, s.spec->>'agent' AS agent, t.status, t.claimed_at,
    lead(t.claimed_at) OVER (PARTITION BY s.id ORDER BY t.number) AS next_at
  FROM orchestrator_step AS s JOIN orchestrator_attempt AS t ON t.step_id = s.id
  WHERE s.attempt_count > 1 AND s.execution_id IN (SELECT id FROM runs)
), repeated AS MATERIALIZED (
  SELECT * FROM tries WHERE status IN ('failed', 'lost') AND next_at IS NOT NULL
), lines AS (
  SELECT runs.workflow, l.currency, l.amount, CASE
    WHEN coalesce(first.kind, l.kind) = 'review' THEN 'review'
    WHEN EXISTS (
      SELECT FROM repeated AS r LEFT JOIN orchestrator_action AS a ON a.id = l.action_id
      WHERE r.execution_id = runs.id AND coalesce(a.created_at, first.at, l.at) >= r.claimed_at
        AND coalesce(a.created_at, first.at, l.at) < r.next_at
        AND CASE WHEN a.id IS NULL THEN r.agent = l.agent ELSE r.step_id = a.step_id END) THEN 'repeated'
    ELSE runs.outcome END AS bucket,
    l.basis = 'unknown' AND NOT EXISTS (SELECT FROM budgets_ledgerentry AS fix WHERE fix.corrects_id = l.id) AS unknown
  FROM runs JOIN budgets_ledgerentry AS l ON l.execution_id = runs.id
  LEFT JOIN budgets_ledgerentry AS first ON first.id = l.corrects_id
)
SELECT workflow, currency, bucket, coalesce(sum(amount), 0) AS amount, count(*) FILTER (WHERE unknown) AS unknown
FROM lines GROUP BY workflow, currency, bucket
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """What executions of one workflow cost in one currency, by bucket."""

    currency: str
    buckets: dict[str, Decimal]
    successes: int

    @property
    def whole(self) -> Decimal:
        return sum(self.buckets.values(), NOUGHT)

    @property
    def waste(self) -> Decimal:
        """All that did not go into a success, people's reviewing included. What is under way is neither."""
        return sum((self.buckets[name] for name in WASTE), NOUGHT)

    @property
    def per_success(self) -> Decimal | None:
        """All of it by successes; None where nothing has succeeded."""
        return self.whole / self.successes if self.successes else None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One workflow: how many executions ended how, what they cost per currency, and how many lines nobody knows the cost of."""

    workflow: str
    executions: dict[str, int]
    spendings: list[Spending] = field(default_factory=list)
    unknown: int = 0

    @property
    def asked(self) -> int:
        return sum(self.executions.values())


def outcomes(span: Span) -> list[Outcomes]:
    """By workflow, those first that most was wasted on."""
    since, until = moments(span)
    values = {"units": sorted(span.unit_ids), "since": since, "until": until}
    executions: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(OUTCOMES, 0))
    for workflow, outcome, count in _rows(_COUNTS, values):
        executions[workflow][outcome] = count
    money: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(
        lambda: defaultdict(lambda: dict.fromkeys(BUCKETS, NOUGHT))
    )
    unknown: dict[str, int] = defaultdict(int)
    for workflow, currency, bucket, amount, number in _rows(_MONEY, values):
        unknown[workflow] += number
        if currency:
            money[workflow][currency][bucket] = amount
    found = [
        Outcomes(name, counts, _spendings(money[name], counts["succeeded"]), unknown[name])
        for name, counts in executions.items()
    ]
    return sorted(found, key=lambda one: (-max((each.waste for each in one.spendings), default=NOUGHT), one.workflow))


def _spendings(money: dict[str, dict[str, Decimal]], successes: int) -> list[Spending]:
    return [Spending(currency, buckets, successes) for currency, buckets in sorted(money.items())]


def moments(span: Span) -> tuple[datetime, datetime]:
    """From the first midnight to before the last, of UTC."""
    since, end = (datetime.combine(day, time.min, UTC) for day in (span.since, span.until + timedelta(days=1)))
    return since, end


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
