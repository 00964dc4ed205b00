"""What a success costs, with what came to nothing on the way: of the executions asked for in a range of days, all they cost.

From sums by outcome, which follow every execution (orchestrator/engine/sums/run_rollups.py). Every line is in one bucket only, so
buckets add up to what was spent.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from orchestrator.models.execution import UNDO
from orchestrator.queries.cost_report import NOUGHT, Span

OUTCOMES = ("succeeded", "failed", "turned_down", "under_way")
# Reviewing and tries that were repeated are apart, whatever became of the execution.
BUCKETS = (*OUTCOMES, "repeated", "review")
WASTE = ("failed", "turned_down", "repeated", "review")
MOST_DAYS = 92

# What is folded, and what the sweep has not seen yet: exact whenever it last ran.
_SUMS = """
SELECT workflow, bucket, currency, sum(executions)::bigint, sum(amount), sum(unknown)::bigint FROM (
  SELECT * FROM orchestrator_outcomerollup WHERE unit_id = ANY(%(units)s) AND day BETWEEN %(since)s AND %(until)s
  UNION ALL SELECT * FROM orchestrator_outcomesunfolded(%(units)s, %(since)s, %(until)s)
) AS kept GROUP BY workflow, bucket, currency
"""
# Unit, workflow and day of an execution never change: those that are counted stay so, whatever becomes of them.
_COUNTS = """
SELECT asked.place, unit_id, workflow, sum(executions)::bigint FROM (
  SELECT unit_id, workflow, day, executions FROM orchestrator_outcomerollup
  WHERE unit_id = ANY(%(units)s) AND day BETWEEN %(since)s AND %(until)s AND currency = ''
  UNION ALL SELECT e.unit_id, e.workflow, (e.created_at AT TIME ZONE 'UTC')::date, 1
  FROM unnest(orchestrator_runsunfolded(%(units)s, %(since)s, %(until)s)) AS new (id)
  JOIN orchestrator_execution AS e ON e.id = new.id
  WHERE NOT EXISTS (SELECT FROM orchestrator_runcost AS kept WHERE kept.execution_id = e.id)
) AS kept
JOIN unnest(%(first)s::date[], %(last)s::date[]) WITH ORDINALITY AS asked (first, last, place)
  ON day BETWEEN asked.first AND asked.last
GROUP BY asked.place, unit_id, workflow
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
    executions: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(OUTCOMES, 0))
    money: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(
        lambda: defaultdict(lambda: dict.fromkeys(BUCKETS, NOUGHT))
    )
    unknown: dict[str, int] = defaultdict(int)
    for workflow, bucket, currency, count, amount, number in _rows(_SUMS, span):
        if workflow.startswith(UNDO):
            continue
        unknown[workflow] += number
        if count:
            executions[workflow][bucket] = count
        if currency:
            money[workflow][currency][bucket] = amount
    found = [
        Outcomes(name, counts, _spendings(money[name], counts["succeeded"]), unknown[name])
        for name, counts in executions.items()
    ]
    return sorted(found, key=lambda one: (-max((each.waste for each in one.spendings), default=NOUGHT), one.workflow))


def executions_asked_for(*spans: Span) -> list[dict[tuple[UUID, str], int]]:
    """How many in each of these ranges, of the same units, by unit and workflow; those that undo others among them."""
    days = {"first": [one.since for one in spans], "last": [one.until for one in spans]}
    whole = replace(spans[0], since=min(days["first"]), until=max(days["last"]))
    found: list[dict[tuple[UUID, str], int]] = [{} for _ in spans]
    for place, unit, workflow, count in _rows(_COUNTS, whole, **days):
        if count:
            found[place - 1][unit, workflow] = count
    return found


def _spendings(money: dict[str, dict[str, Decimal]], successes: int) -> list[Spending]:
    return [Spending(currency, buckets, successes) for currency, buckets in sorted(money.items())]


def moments(span: Span) -> tuple[datetime, datetime]:
    """From the first midnight to before the last, of UTC."""
    since, end = (datetime.combine(day, time.min, UTC) for day in (span.since, span.until + timedelta(days=1)))
    return since, end


def _rows(statement: str, span: Span, **more: Any) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {"units": sorted(span.unit_ids), "since": span.since, "until": span.until, **more}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
