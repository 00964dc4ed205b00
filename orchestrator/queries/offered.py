"""What lists of executions can be narrowed to: the units and workflows that have some, found without reading a million rows.

The sums of outcomes know every unit and workflow up to the last sweep; what is newer is among the newest.
"""

from typing import NamedTuple
from uuid import UUID

from audit import scope
from audit.actors import Actor
from audit.lifecycle import run

MOST = 5_000
NEWEST = 500
_OFFERED = """
WITH told AS (
  SELECT unit_id, workflow FROM orchestrator_outcomerollup WHERE unit_id = ANY (%(units)s)
  UNION SELECT unit_id, workflow FROM (
    SELECT unit_id, workflow FROM orchestrator_execution WHERE unit_id = ANY (%(units)s)
    ORDER BY created_at DESC, id DESC LIMIT %(newest)s) AS newest
  UNION SELECT unit_id, workflow FROM orchestrator_execution
    WHERE unit_id = ANY (%(units)s) AND COALESCE((SELECT runs_before FROM orchestrator_costfold), 0) = 0
)
SELECT u.id, u.title, told.workflow FROM told JOIN budgets_businessunit AS u ON u.id = told.unit_id
ORDER BY u.title, told.workflow LIMIT %(most)s
"""


class Offered(NamedTuple):
    """Units by id and title, workflows by name; each in order."""

    units: list[tuple[UUID, str]]
    workflows: list[str]


def offered(actor: Actor) -> Offered:
    """Of the executions that the actor sees."""
    units = list(scope.unit_ids(actor, "view"))
    rows = run(_OFFERED, {"units": units, "newest": NEWEST, "most": MOST})
    return Offered(
        list(dict.fromkeys((pk, title) for pk, title, _ in rows)), sorted({workflow for *_, workflow in rows})
    )
