"""What service levels are counted from, of one range: facts of executions one by one, or sums of their days.

Both follow executions with the sweep (engine/sums/level_rollups.py). What it has not seen yet is made here, so figures
are exact whenever it last ran; but times of many executions are read out of tallies, which are within 5 per cent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from typing import Any
from uuid import UUID

from django.db import connection

from orchestrator.health import tallies
from orchestrator.models.level import COUNTS, STAGE_TIMES, STAGES, SUMS, TALLIES

# So many executions are read one by one.
EXACT_UP_TO = 20_000
MOST_LINES = 100
# What the lines of a page are, and the column that names the line of an execution.
GROUPS = {"workflow": "workflow", "unit": "unit_title", "release": "release", "agent": "own.agent"}
# The median, and what 95 per cent are below.
SHARES = (0.5, 0.95)
TIMES = {"took": "took", "overhead": "overhead", **dict(zip(STAGES, STAGE_TIMES, strict=True))}

_PLACE = "unit_id = ANY (%(units)s) AND {at} >= %(since)s AND {at} < %(until)s"
_IN_RANGE, _ASKED_IN_RANGE = _PLACE.format(at="asked_at"), "e." + _PLACE.format(at="e.created_at")
# Those in the range that the sweep has not seen as they are now: all, before the command has run.
_FRESH = f"""
fold AS MATERIALIZED (SELECT COALESCE((SELECT levels_before FROM orchestrator_costfold), 0) AS before),
fresh AS MATERIALIZED (SELECT ARRAY(
  SELECT e.id FROM fold CROSS JOIN LATERAL orchestrator_runstouched(fold.before, 9223372036854775807) AS touched (id)
  JOIN orchestrator_execution AS e ON e.id = touched.id WHERE fold.before > 0 AND {_ASKED_IN_RANGE}
  UNION ALL SELECT e.id FROM orchestrator_execution AS e WHERE (SELECT before FROM fold) = 0 AND {_ASKED_IN_RANGE}
) AS ids)
"""
_NEW = f"""
WITH {_FRESH} SELECT (SELECT ids FROM fresh) AS new, (SELECT before > 0 FROM fold) AS is_kept, (
  SELECT COALESCE(sum(asked), 0)::bigint FROM orchestrator_levelrollup WHERE unit_id = ANY (%(units)s) AND by = 'unit'
    AND day BETWEEN (%(since)s AT TIME ZONE 'UTC')::date AND (%(until)s AT TIME ZONE 'UTC')::date
) AS kept
"""
# Facts of each: as the sweep keeps them, and anew of those that have changed since.
_RUNS = f"""
  SELECT * FROM orchestrator_runlevel WHERE {_IN_RANGE} AND execution_id <> ALL ({{new}})
  UNION ALL SELECT * FROM orchestrator_runlevels({{new}})
"""
_FAILING = f"""
WITH {_FRESH} SELECT workflow || ' / ' || failing AS step, count(*) AS failures
FROM ({_RUNS.format(new="(SELECT ids FROM fresh)::uuid[]")}) AS runs WHERE failing <> ''
GROUP BY workflow, failing ORDER BY count(*) DESC, 1 LIMIT 1
"""
_FACTS = ", ".join(name for name in (*COUNTS, "cost", *TIMES.values()) if name not in ("proposed", "denied"))
# The stored facts say 0 between the steps of an execution whose stages nobody knows, and nothing of its other stages.
_KNOWN = {"between": "CASE WHEN staged = 1 THEN between_time END"}
_PERCENTILES = ", ".join(
    f"percentile_cont(ARRAY{list(SHARES)}::float[]) WITHIN GROUP (ORDER BY ({_KNOWN.get(name, column)})::float) "
    f"AS {name}_percentiles"
    for name, column in TIMES.items()
)
_ADDED = ", ".join(f"COALESCE(sum({name}), 0) AS {name}" for name in (*COUNTS, "cost", *STAGE_TIMES))
# By agent, an execution is in the line of everyone who proposed a call in it, with the calls of that agent alone.
_OF_LINES = {
    True: f"SELECT false, own.agent, own.proposed, own.denied, {_FACTS} FROM runs "
    "CROSS JOIN LATERAL unnest(agents, proposed_by, denied_by) AS own (agent, proposed, denied)",
    False: f"SELECT false, {{called}}, proposed, denied, {_FACTS} FROM runs",
}
_EXACT = f"""
WITH runs AS MATERIALIZED ({_RUNS.format(new="%(new)s")}), lines (every, called, proposed, denied, {_FACTS}) AS (
  SELECT true, '', proposed, denied, {_FACTS} FROM runs UNION ALL {{of_lines}}
)
SELECT called, count(*) AS asked, {_ADDED}, {_PERCENTILES}
FROM lines GROUP BY every, called ORDER BY every DESC, count(*) DESC, called LIMIT {MOST_LINES + 1}
"""
_SUMS = ", ".join(SUMS)
_PUT_IN, _TAKEN_OUT = (", ".join(f"{sign}line.{name}" for name in SUMS) for sign in ("", "-"))
# Whole days out of their sums; what is left of the range, and what has changed since, one by one.
_SUMMED = f"""
SELECT * FROM (
  SELECT by, line AS called, {", ".join(f"sum({name})::text AS {name}" for name in SUMS)},
    row_number() OVER (PARTITION BY by ORDER BY sum(asked) DESC, line) AS place
  FROM (
    SELECT by, line, {_SUMS} FROM orchestrator_levelrollup
    WHERE unit_id = ANY (%(units)s) AND day >= %(first)s AND day < %(last)s AND by IN ('unit', %(by)s)
    UNION ALL SELECT line.by, line.line, {_PUT_IN}
    FROM orchestrator_runlevel AS run CROSS JOIN LATERAL orchestrator_levellines(run) AS line
    WHERE run.unit_id = ANY (%(units)s) AND run.execution_id <> ALL (%(new)s)
      AND (run.asked_at >= %(since)s AND run.asked_at < %(begins)s OR run.asked_at >= %(ends)s AND run.asked_at < %(until)s)
    UNION ALL SELECT line.by, line.line, {_PUT_IN}
    FROM orchestrator_runlevels(%(new)s) AS run CROSS JOIN LATERAL orchestrator_levellines(run) AS line
    UNION ALL SELECT line.by, line.line, {_TAKEN_OUT}
    FROM orchestrator_runlevel AS run CROSS JOIN LATERAL orchestrator_levellines(run) AS line
    WHERE run.execution_id = ANY (%(new)s) AND run.asked_at >= %(begins)s AND run.asked_at < %(ends)s
  ) AS counted WHERE by IN ('unit', %(by)s) GROUP BY by, line HAVING sum(asked) > 0
) AS ranked WHERE by = 'unit' OR place <= {MOST_LINES} ORDER BY by, place
"""


Pair = tuple[float | None, float | None]


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
class Line:
    """All executions of a range, or those of one line: sums over them, and of each time the median and the 95th percentile."""

    called: str
    sums: Mapping[str, int]
    cost: float
    seconds: Mapping[str, float]
    percentiles: Mapping[str, Pair]
    # Times one by one; otherwise out of tallies.
    is_exact: bool
    # Whether the sweep follows executions; until `rebuild_rollups` has run after an upgrade, stored rows are read.
    is_kept: bool


def lines(span: Span, *, by: str) -> list[Line]:
    """The line of all first, then the groups with most, a hundred at most; none where nothing was asked for."""
    (found,) = rows_of(_NEW, span.values)
    values, is_kept = span.values | {"new": found["new"], "by": by}, found["is_kept"]
    if found["kept"] + len(found["new"]) <= EXACT_UP_TO:
        of_lines = _OF_LINES[by == "agent"].format(called=GROUPS[by])
        return [_exact(row, is_kept) for row in rows_of(_EXACT.format(of_lines=of_lines), values)]
    rows = [_numbers(row) for row in rows_of(_SUMMED, values | _whole_days(span))]
    units = [row for row in rows if row["by"] == "unit"]
    whole = reduce(_both, units) | {"called": ""} if units else None
    return [_summed(row, is_kept) for row in (whole, *[row for row in rows if row["by"] == by][:MOST_LINES]) if row]


def failing_step(span: Span) -> tuple[str, int] | None:
    """The step in which most executions of the range failed, and how many."""
    found = rows_of(_FAILING, span.values)
    return (found[0]["step"], found[0]["failures"]) if found else None


def rows_of(sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the statement says, by column."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _whole_days(span: Span) -> dict[str, Any]:
    """The days of UTC that lie in the range altogether: the first, the one after the last, and their midnights."""
    first, last = _midnight(span.since.astimezone(UTC).date()), _midnight(span.until.astimezone(UTC).date())
    begins = first if first >= span.since else first + timedelta(days=1)
    if begins > last:
        begins = last = span.until
    return {"first": begins.date(), "last": last.date(), "begins": begins, "ends": last}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    whole = (*COUNTS, "asked", *TALLIES)
    return row | {name: int(row[name]) for name in whole} | {name: float(row[name]) for name in ("cost", *STAGE_TIMES)}


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return one | {name: one[name] + other[name] for name in SUMS}


def _exact(row: dict[str, Any], is_kept: bool) -> Line:
    told: dict[str, Pair] = {name: row[f"{name}_percentiles"] or (None, None) for name in TIMES}
    return _line(row, told, True, is_kept)


def _summed(row: dict[str, Any], is_kept: bool) -> Line:
    # Each of those that are not staged is in the first bucket of this tally, once.
    known = row | {"between_tally": row["between_tally"] - (row["asked"] - row["staged"])}
    told = {name: _pair(known[f"{name}_tally"]) for name in TIMES}
    return _line(row, told, False, is_kept)


def _pair(tally: int) -> Pair:
    return tallies.percentile(tally, SHARES[0]), tallies.percentile(tally, SHARES[1])


def _line(row: dict[str, Any], percentiles: Mapping[str, Pair], is_exact: bool, is_kept: bool) -> Line:
    sums = {name: int(row[name]) for name in ("asked", *COUNTS)}
    seconds = {name: float(row[f"{name}_time"]) for name in STAGES}
    return Line(row["called"], sums, float(row["cost"]), seconds, percentiles, is_exact, is_kept)
