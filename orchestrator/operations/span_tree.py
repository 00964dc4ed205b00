"""Where a reported span hangs. Parents come late, or never; a tree stays a tree, inside one unit and one trace (I33).

Two spans of one id are told apart by their agents; whoever names that id as a parent means the one of its own agent first.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from audit.lifecycle import run

# These ids and everything above them, as far as it is known.
_KNOWN = """
WITH RECURSIVE found AS (
  SELECT id, trace_id, agent, external_id, parent_external_id, parent_id, ended_at FROM audit_span
  WHERE unit_id = %s AND trace_id = ANY(%s) AND external_id = ANY(%s)
  UNION
  SELECT up.id, up.trace_id, up.agent, up.external_id, up.parent_external_id, up.parent_id, up.ended_at
  FROM found JOIN audit_span AS up ON up.id = found.parent_id
)
SELECT * FROM found
"""
# Our own parts are children of no reported span, so they close no circle. An id of theirs is the end of their UUID.
_OWN = """
WITH runs AS (
  SELECT id, trace_id FROM orchestrator_execution WHERE unit_id = %(unit)s
    AND (id = ANY(%(traces)s) AND trace_id = id OR trace_id = ANY(%(traces)s) AND trace_id <> id)
), parts AS (
  SELECT id, trace_id, id AS execution_id FROM runs
  UNION ALL
  SELECT t.id, r.trace_id, r.id FROM runs AS r JOIN orchestrator_step AS s ON s.execution_id = r.id
    JOIN orchestrator_attempt AS t ON t.step_id = s.id
  UNION ALL
  SELECT a.id, r.trace_id, r.id FROM runs AS r JOIN orchestrator_action AS a ON a.execution_id = r.id
  UNION ALL
  SELECT a.id, coalesce(a.trace_id, a.id), NULL FROM orchestrator_action AS a
  WHERE (a.id = ANY(%(traces)s) OR a.trace_id = ANY(%(traces)s)) AND a.unit_id = %(unit)s
    AND NOT EXISTS (SELECT FROM orchestrator_execution AS e WHERE e.id = a.execution_id)
)
SELECT id, trace_id, execution_id, right(replace(id::text, '-', ''), 16) FROM parts
WHERE id = execution_id OR right(replace(id::text, '-', ''), 16) = ANY(%(parents)s)
"""
# Those that waited for what has come now.
_ADOPT = """
UPDATE audit_span AS child SET parent_id = parent.id FROM audit_span AS parent
WHERE parent.id = ANY(%s) AND child.unit_id = parent.unit_id AND child.trace_id = parent.trace_id
  AND child.parent_external_id = parent.external_id AND child.parent_external_id <> '' AND child.parent_id IS NULL
"""


@dataclass(slots=True)
class Place:
    """One reported span, stored or about to be."""

    id: UUID
    trace_id: UUID
    agent: str
    external_id: str
    waits_for: str
    parent_id: UUID | None
    ended_at: datetime | None


class Tree:
    """What is known around the spans of one request. Whoever uses it holds the unit's row, so nobody adds to it meanwhile."""

    def __init__(self, unit_id: UUID, agent: str, ids: Iterable[tuple[UUID, str, str]]) -> None:
        """`ids` are the trace, the span and the parent of each span that came."""
        self._agent = agent
        self._by_id: dict[UUID, Place] = {}
        self._by_name: dict[tuple[UUID, str], list[Place]] = defaultdict(list)
        self._waiting: dict[tuple[UUID, str], list[Place]] = defaultdict(list)
        self._own: dict[tuple[UUID, str], tuple[UUID, UUID | None]] = {}
        self._runs: dict[UUID, UUID] = {}
        ids = list(ids)
        traces = list({trace for trace, _, _ in ids})
        named = list({name for _, own, parent in ids for name in (own, parent) if name})
        for row in run(_KNOWN, [unit_id, traces, named]):
            self._keep(Place(*row))
        self._read_own(unit_id, traces, list({parent for _, _, parent in ids if parent}))

    def mine(self, trace_id: UUID, external_id: str) -> Place | None:
        """The span of this id that this agent has sent before."""
        found = self._by_name[trace_id, external_id]
        return next((one for one in found if one.agent == self._agent), None)

    def execution_of(self, trace_id: UUID, parent: str) -> UUID | None:
        """The execution that a span belongs to: its parent's, or else the one that began the trace in this unit."""
        own = self._own.get((trace_id, parent))
        return own[1] if own else self._runs.get(trace_id)

    def closes_circle(self, trace_id: UUID, external_id: str, parent: str) -> bool:
        """Whether somewhere above its parent something waits for this very span."""
        above = self._parent(trace_id, parent)
        while above is not None:
            if above.parent_id is None and above.waits_for == external_id:
                return True
            above = self._by_id.get(above.parent_id) if above.parent_id else None
        return False

    def add(self, place: Place) -> None:
        """Hang it under its parent if that is known, and under it what waited for it."""
        above = self._parent(place.trace_id, place.waits_for)
        own = self._own.get((place.trace_id, place.waits_for))
        place.parent_id = above.id if above else own[0] if own else None
        for child in self._waiting.pop((place.trace_id, place.external_id), []):
            child.parent_id = place.id
        self._keep(place)

    def _keep(self, place: Place) -> None:
        self._by_id[place.id] = place
        self._by_name[place.trace_id, place.external_id].append(place)
        if place.parent_id is None and place.waits_for:
            self._waiting[place.trace_id, place.waits_for].append(place)

    def _parent(self, trace_id: UUID, parent: str) -> Place | None:
        found = self._by_name[trace_id, parent] if parent else []
        return min(found, key=lambda one: (one.agent != self._agent, one.id), default=None)

    def _read_own(self, unit_id: UUID, traces: list[UUID], parents: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_OWN, {"unit": unit_id, "traces": traces, "parents": parents})
            rows = cursor.fetchall()
        for part, trace_id, execution_id, end in sorted(rows):
            self._own[trace_id, end] = (part, execution_id)
            if part == execution_id:
                self._runs.setdefault(trace_id, execution_id)


def adopt(came: list[UUID]) -> None:
    """Stored spans that waited for one of these hang under it now."""
    if came:
        run(_ADOPT, [came])
