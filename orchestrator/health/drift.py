"""What releases did in the last day and in the week before, and how long flows are silent: counted from stored rows.

Each answer is one statement that reads a bounded number of rows and is given up after a few seconds: whoever asks then knows
nothing, and says nothing. Judged by orchestrator.health.shifts; definitions for people: docs/alerts.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from orchestrator.health.readings import given_up_after
from orchestrator.health.shifts import LEAST, Ranks, Share

NOW_HOURS, BEFORE_DAYS, FLOW_DAYS = 24, 7, 28
# Of a unit's executions, the newest on either side: what a round reads does not grow with how busy a unit is.
MOST = 5000
WITHIN_SECONDS = 4.0

_HALF = """(SELECT e.id, e.workflow, e.release_id, e.status, {now} AS is_now FROM orchestrator_execution AS e
  WHERE e.unit_id = u.id AND e.workflow NOT LIKE 'undo:%%' AND {when}
  AND e.status IN ('succeeded', 'failed', 'timed_out', 'dead_lettered') ORDER BY e.created_at DESC LIMIT %(most)s)"""
_DAY = "statement_timestamp() - make_interval(hours => %(hours)s)"
# Whatever belongs to a run is read by its index, one run after another: how long that takes depends on no estimate.
_RUNS = f"""
halves AS MATERIALIZED (
  SELECT u.id AS unit_id, half.*, count(*) FILTER (WHERE is_now) OVER same AS many_now,
    count(*) FILTER (WHERE NOT is_now) OVER same AS many_before
  FROM budgets_businessunit AS u CROSS JOIN LATERAL (
    {_HALF.format(now="true", when=f"e.created_at >= {_DAY}")} UNION ALL
    {_HALF.format(now="false", when=f"e.created_at < {_DAY} AND e.created_at >= {_DAY} - make_interval(days => %(days)s)")}
  ) AS half WHERE u.status = 'active' WINDOW same AS (PARTITION BY u.id, half.workflow, half.release_id)
), runs AS (
  SELECT * FROM halves WHERE many_now >= %(least)s AND many_before >= %(least)s
)"""

# Shares are h of n; amounts are compared by their ranks. Time is what attempts took, so people's time is apart.
_RELEASES = f"""
WITH {_RUNS}, facts AS MATERIALIZED (
  SELECT runs.*, COALESCE(decided.refused, false) AS refused, decided.overruled, worked.seconds, paid.amount, paid.currency,
    paid.tokens, COALESCE(paid.known, false) AS known
  FROM runs CROSS JOIN LATERAL (
    SELECT bool_or(a.status IN ('rejected', 'answered') OR a.proposed <> '') AS overruled,
      bool_or(a.status = 'rejected') AS refused
    FROM orchestrator_action AS a WHERE a.execution_id = runs.id AND a.approval_id IS NOT NULL
      AND a.status NOT IN ('held', 'sent_back', 'expired', 'withdrawn', 'void')
  ) AS decided CROSS JOIN LATERAL (
    SELECT sum(extract(epoch FROM a.finished_at - a.started_at))::float AS seconds FROM orchestrator_step AS s
    CROSS JOIN LATERAL (SELECT * FROM orchestrator_attempt AS t WHERE t.step_id = s.id AND t.started_at <= t.finished_at) AS a
    WHERE s.execution_id = runs.id AND runs.status = 'succeeded'
  ) AS worked CROSS JOIN LATERAL (
    SELECT sum(l.amount)::float AS amount, max(l.currency) AS currency, sum(l.input_tokens + l.output_tokens)::float AS tokens,
      count(DISTINCT NULLIF(l.currency, '')) = 1 AND NOT bool_or(l.basis = 'unknown' AND NOT EXISTS (
        SELECT 1 FROM budgets_ledgerentry AS c WHERE c.corrects_id = l.id)) AS known
    FROM budgets_ledgerentry AS l WHERE l.execution_id = runs.id AND runs.status = 'succeeded'
  ) AS paid
), amounts AS (
  SELECT unit_id, workflow, release_id, is_now, 'duration' AS figure, '' AS of, seconds AS value FROM facts
    WHERE seconds IS NOT NULL
  UNION ALL SELECT unit_id, workflow, release_id, is_now, 'cost', currency, amount FROM facts WHERE known
  UNION ALL SELECT unit_id, workflow, release_id, is_now, 'tokens', '', tokens FROM facts WHERE tokens > 0
), ranked AS (
  SELECT amounts.*, rank() OVER whole + (count(*) OVER alike - 1) / 2.0 AS place, count(*) OVER alike AS alike FROM amounts
  WINDOW whole AS (PARTITION BY unit_id, workflow, release_id, figure, of ORDER BY value),
    alike AS (PARTITION BY unit_id, workflow, release_id, figure, of, value)
)
SELECT unit_id, workflow, release_id, 'success' AS figure, '' AS of,
  count(*) FILTER (WHERE NOT is_now) AS before, count(*) FILTER (WHERE is_now) AS now,
  count(*) FILTER (WHERE NOT is_now AND status = 'succeeded') AS one,
  count(*) FILTER (WHERE is_now AND status = 'succeeded') AS two, 0::float AS median_before, 0::float AS median_now
FROM facts WHERE NOT refused GROUP BY 1, 2, 3
UNION ALL SELECT unit_id, workflow, release_id, 'overrides', '', count(*) FILTER (WHERE NOT is_now),
  count(*) FILTER (WHERE is_now), count(*) FILTER (WHERE NOT is_now AND overruled),
  count(*) FILTER (WHERE is_now AND overruled), 0, 0 FROM facts WHERE overruled IS NOT NULL GROUP BY 1, 2, 3
UNION ALL SELECT unit_id, workflow, release_id, figure, of, count(*) FILTER (WHERE NOT is_now),
  count(*) FILTER (WHERE is_now), sum(place) FILTER (WHERE is_now), sum(alike::float * alike - 1),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE NOT is_now),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY value) FILTER (WHERE is_now) FROM ranked GROUP BY 1, 2, 3, 4, 5
"""

# What succeeded and says nothing, and the tools that an agent's step called at all.
_STEPS = f"""
WITH {_RUNS}, done AS MATERIALIZED (
  SELECT runs.unit_id, runs.workflow, runs.release_id, runs.is_now, s.key, s.position,
    NOT EXISTS (SELECT 1 FROM jsonb_each(CASE jsonb_typeof(s.output) WHEN 'object' THEN s.output ELSE '{{}}' END) AS part
      WHERE part.value NOT IN ('null', '""', '[]', '{{}}')) AS hollow,
    CASE s.kind WHEN 'agent' THEN ARRAY(SELECT DISTINCT a.tool FROM orchestrator_action AS a
      WHERE a.execution_id = runs.id AND a.step_id = s.id) ELSE '{{}}' END AS tools
  FROM runs CROSS JOIN LATERAL (SELECT * FROM orchestrator_step AS t WHERE t.execution_id = runs.id
    AND t.status = 'success' AND t.kind IN ('agent', 'tool')) AS s
), whole AS MATERIALIZED (
  SELECT unit_id, workflow, release_id, key, min(position) AS position, count(*) FILTER (WHERE NOT is_now) AS before,
    count(*) FILTER (WHERE is_now) AS now, count(*) FILTER (WHERE hollow AND NOT is_now) AS hollow_before,
    count(*) FILTER (WHERE hollow AND is_now) AS hollow_now FROM done GROUP BY 1, 2, 3, 4
), called AS MATERIALIZED (
  SELECT unit_id, workflow, release_id, key, tool, count(*) FILTER (WHERE NOT is_now) AS one,
    count(*) FILTER (WHERE is_now) AS two FROM done CROSS JOIN LATERAL unnest(done.tools) AS tool GROUP BY 1, 2, 3, 4, 5
)
SELECT unit_id, workflow, release_id, key, position, '' AS tool, before, now, hollow_before AS one, hollow_now AS two
FROM whole WHERE hollow_now > 0
UNION ALL SELECT unit_id, workflow, release_id, key, position, tool, before, now, one, two
FROM called JOIN whole USING (unit_id, workflow, release_id, key)
"""

# How long nothing was asked for, beside every gap of four weeks. Calls that belong to a workflow are the workflow's.
_FLOWS = """
WITH began AS (
  SELECT unit_id, 'workflow' AS kind, workflow AS name, created_at FROM orchestrator_execution
  WHERE created_at >= statement_timestamp() - make_interval(days => %(days)s) AND workflow NOT LIKE 'undo:%%'
  UNION ALL SELECT unit_id, 'agent', agent, created_at FROM orchestrator_action
  WHERE created_at >= statement_timestamp() - make_interval(days => %(days)s) AND execution_id IS NULL AND undoes_id IS NULL
), gaps AS (
  SELECT unit_id, kind, name, created_at,
    extract(epoch FROM created_at - lag(created_at) OVER (PARTITION BY unit_id, kind, name ORDER BY created_at))::float AS gap
  FROM began
), longest AS (
  SELECT gaps.*, max(gap) OVER (PARTITION BY unit_id, kind, name) AS longest FROM gaps
)
SELECT unit_id, kind, name, max(created_at) AS last_at, max(longest) AS longest,
  extract(epoch FROM statement_timestamp() - max(created_at))::float AS silence,
  count(*) FILTER (WHERE gap > longest / 10) AS gaps
FROM longest GROUP BY 1, 2, 3
HAVING count(gap) >= %(least)s AND max(created_at) - min(created_at) >= make_interval(hours => %(hours)s)
  AND statement_timestamp() - max(created_at) > max(longest) * interval '1 second'
"""


@dataclass(frozen=True, slots=True)
class Of:
    """The release, in a unit."""

    unit_id: UUID
    workflow: str
    release_id: UUID


@dataclass(frozen=True, slots=True)
class Amounts:
    """One amount of a release: duration, cost or tokens; `currency` is of cost only."""

    of: Of
    figure: str
    currency: str
    ranks: Ranks


@dataclass(frozen=True, slots=True)
class Shares:
    """One share of a release, or of one of its steps, before and now."""

    of: Of
    figure: str
    before: Share
    now: Share
    step: str = ""
    position: int = 0
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """A workflow or a foreign agent that is silent for longer than ever in four weeks. Gaps count from a tenth of the longest,
    so that calls which come in bursts are not taken for many. Of less than a day nobody knows how often it comes: a first batch
    of calls ends, and that is no silence."""

    unit_id: UUID
    kind: str
    name: str
    last_at: datetime
    longest: float
    silence: float
    gaps: int


def releases() -> tuple[list[Shares], list[Amounts]]:
    """Every release that ran enough in the last day and in the week before."""
    shares, amounts = [], []
    for row in _asked(_RELEASES):
        of = Of(row["unit_id"], row["workflow"], row["release_id"])
        before, now, one, two = row["before"], row["now"], row["one"], row["two"]
        if row["figure"] in ("success", "overrides"):
            shares.append(Shares(of, row["figure"], Share(int(one), before), Share(int(two), now)))
        elif before and now:
            ranks = Ranks(before, now, float(one), float(two), row["median_before"], row["median_now"])
            amounts.append(Amounts(of, row["figure"], row["of"], ranks))
    return shares, amounts


def steps() -> list[Shares]:
    """Steps that ended with an empty output, and how often each tool was called at all, of the successes of the step."""
    return [
        Shares(
            Of(row["unit_id"], row["workflow"], row["release_id"]), "calls" if row["tool"] else "empty",
            Share(row["one"], row["before"]), Share(row["two"], row["now"]), row["key"], row["position"], row["tool"],
        )
        for row in _asked(_STEPS)
    ]  # fmt: skip


def flows() -> list[Flow]:
    """Those whose silence is longer than each of their gaps."""
    return [Flow(**row) for row in _asked(_FLOWS, days=FLOW_DAYS)]


def _asked(sql: str, **more: int) -> list[dict[str, Any]]:
    params: Mapping[str, Any] = {"hours": NOW_HOURS, "days": BEFORE_DAYS, "most": MOST, "least": LEAST, **more}
    with given_up_after(WITHIN_SECONDS), connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
