"""Figures per policy: how people decide, never who. Counted over the requests that were asked for in a range; tests left out.

A number and the rows behind it come from one condition (`CONDITIONS`), so they cannot disagree. Three statements answer
the page, however many policies and requests there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from approvals.models import ApprovalRequest

# A figure about the load of fewer people than this would be about persons.
FEWEST_REVIEWERS = 3
QUICK_SECONDS = 5
# The policies a request was judged under, by name, and "" for all of them together.
POLICIES = "array_append(string_to_array(regexp_replace(r.policy_version, ' v[0-9]+(?=,|$)', '', 'g'), ', '), '')"
# How long the page was open, where the server measured it.
SECONDS = "CASE jsonb_typeof(viewed -> 'seconds') WHEN 'number' THEN (viewed ->> 'seconds')::numeric END"
# Of what was rejected while it was stopped: how long its clock had stood still by then.
STOPPED = "coalesce(greatest(said.last - r.frozen_at, interval '0'), interval '0')"
COHORT = f"""
WITH cohort AS MATERIALIZED (
  SELECT r.id, {POLICIES} AS policies, r.status, r.decide_by, r.use_by IS NOT NULL AS approved,
    extract(epoch FROM said.last - r.created_at - r.stood - {STOPPED}) AS took, said.last - {STOPPED} AS decided_at, said.fastest,
    r.status = 'answered' OR EXISTS (SELECT 1 FROM approvals_edit WHERE request_id = r.id) AS overridden,
    look.status AS look,
    EXISTS (SELECT 1 FROM orchestrator_action AS done WHERE done.id = r.subject_id AND (done.status = 'undone'
      OR EXISTS (SELECT 1 FROM orchestrator_action AS undo WHERE undo.undoes_id = done.id AND undo.status = 'succeeded')
    )) AS undone
  FROM approvals_approvalrequest AS r
  LEFT JOIN approvals_secondlook AS look ON look.request_id = r.id
  LEFT JOIN LATERAL (
    SELECT max(at) AS last, min({SECONDS}) AS fastest FROM approvals_decision WHERE request_id = r.id
  ) AS said ON true
  WHERE r.unit_id = ANY(%s) AND r.created_at >= %s AND r.created_at < %s AND NOT r.is_test
)
"""
DECIDED = "(approved OR status IN ('rejected', 'answered'))"
CONDITIONS: Mapping[str, str] = {
    "asked": "true",
    "decided": DECIDED,
    "approved": "approved",
    "rejected": "status = 'rejected'",
    "overridden": f"overridden AND {DECIDED}",
    "reversed": "approved AND undone",
    "measured": "fastest IS NOT NULL",
    "quick": f"fastest < {QUICK_SECONDS}",
    "looked": "look IN ('agreed', 'disagreed')",
    "disagreed": "look = 'disagreed'",
    "late": f"{DECIDED} AND decided_at > decide_by",
    "expired": "status = 'expired' AND NOT approved",
}
COUNTED = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in CONDITIONS.items())
COUNTS = f"""{COHORT}
SELECT policy, {COUNTED}, percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE {DECIDED}) AS took
FROM cohort, unnest(policies) AS policy GROUP BY policy ORDER BY policy
"""
VOICES = f"""{COHORT}, voices AS (
  SELECT policy, person_id, (at AT TIME ZONE 'UTC')::date AS day,
    {SECONDS} AS seconds
  FROM cohort JOIN approvals_decision ON request_id = cohort.id, unnest(policies) AS policy
), days AS (SELECT policy, person_id, day, count(*) AS items FROM voices GROUP BY policy, person_id, day)
SELECT read.*, load.half, load.most, load.top FROM (
  SELECT policy, count(DISTINCT person_id) AS reviewers, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS reading
  FROM voices GROUP BY policy
) AS read JOIN (
  SELECT policy, percentile_cont(0.5) WITHIN GROUP (ORDER BY items) AS half,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY items) AS most, max(items) AS top FROM days GROUP BY policy
) AS load USING (policy)
"""
# Test items count by how they ended, apart from everything else.
ENDINGS = ("caught", "missed", "objected")
ENDED = ", ".join(f"count(*) FILTER (WHERE ended = '{name}') AS {name}" for name in ENDINGS)
SEEDED = f"""
WITH seeded AS (
  SELECT r.id, {POLICIES} AS policies, item.status AS ended
  FROM approvals_seededitem AS item JOIN approvals_approvalrequest AS r ON r.id = item.request_id
  WHERE r.unit_id = ANY(%s) AND r.created_at >= %s AND r.created_at < %s
)
"""
TESTS = f"{SEEDED} SELECT policy, {ENDED} FROM seeded, unnest(policies) AS policy GROUP BY policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is counted: requests of these units, asked for from `since` and before `until`."""

    unit_ids: frozenset[UUID]
    since: datetime
    until: datetime

    @property
    def parameters(self) -> list[Any]:
        return [sorted(self.unit_ids), self.since, self.until]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one policy; of all of them together where the name is empty."""

    policy: str
    counts: Mapping[str, int]
    took: float | None = None
    reviewers: int = 0
    reading: float | None = None
    load: tuple[float, float, int] | None = None
    tests: Mapping[str, int] = field(default_factory=dict)

    def share(self, name: str, of: str) -> float | None:
        """In percent; of nothing there is no share."""
        whole = self.counts.get(of, 0)
        return 100 * self.counts[name] / whole if whole else None


def figures(range_: Range) -> list[Figures]:
    """All policies together first, then each by name."""
    voices = {row["policy"]: row for row in _rows(VOICES, range_)}
    tests = {row.pop("policy"): row for row in _rows(TESTS, range_)}
    counts = {row.pop("policy"): row for row in _rows(COUNTS, range_)}
    return [
        _figures(name, counts.get(name), voices.get(name, {}), tests.get(name, {}))
        for name in sorted({*counts, *tests})
    ]


def _figures(name: str, counts: dict[str, Any] | None, voices: dict[str, Any], tests: dict[str, int]) -> Figures:
    counts = counts or dict.fromkeys(CONDITIONS, 0)
    reviewers = voices.get("reviewers", 0)
    return Figures(
        policy=name,
        took=counts.pop("took", None),
        counts=counts,
        reviewers=reviewers,
        reading=voices.get("reading"),
        load=(voices["half"], voices["most"], voices["top"]) if reviewers >= FEWEST_REVIEWERS else None,
        tests=tests,
    )


def rows_behind(range_: Range, *, what: str, policy: str) -> QuerySet[ApprovalRequest]:
    """The requests that a number counts. `what` is one of CONDITIONS or of ENDINGS."""
    if what in ENDINGS:
        sql = f"{SEEDED} SELECT id FROM seeded WHERE %s = ANY(policies) AND ended = '{what}'"
    else:
        sql = f"{COHORT} SELECT id FROM cohort WHERE %s = ANY(policies) AND ({CONDITIONS[what]})"
    found = RawSQL(sql, [*range_.parameters, policy])
    rows: QuerySet[ApprovalRequest] = ApprovalRequest.objects.filter(pk__in=found)
    return rows


def _rows(sql: str, range_: Range) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, range_.parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
