"""What lists can be narrowed to, found without reading a million rows: the units and workflows that have executions, and
the agents and tools that may have called.

The sums of outcomes know every unit and workflow up to the last sweep; what is newer is among the newest.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet, Value

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.lifecycle import run
from budgets.units import above
from orchestrator.gate.judge import WORKFLOW
from orchestrator.models import Action, Agent, Tool

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


def callers(actor: Actor, workflows: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Agents and tools: by their contracts, which are few, and as the newest calls name them. Steps of these workflows call in
    their workflow's name.
    """
    seen = scope.unit_ids(actor, "view")
    agents = Agent.objects.exclude(status=DefinitionStatus.DRAFT).filter(unit_id__in={*seen, *above(seen)})
    tools = Tool.objects.exclude(status=DefinitionStatus.DRAFT)
    newest = Action.objects.visible_to(actor).newest_first()
    shelves = (
        _named("agent", agents.order_by(), "name"), _named("tool", tools.order_by(), "name"),
        _named("agent", newest, "agent")[:NEWEST], _named("tool", newest, "tool")[:NEWEST],
    )  # fmt: skip
    found = {*shelves[0].union(*shelves[1:])}
    found |= {("agent", f"{WORKFLOW}{name}") for name in workflows}
    return {what: [(name, name) for kind, name in sorted(found) if kind == what] for what in ("agent", "tool")}


def _named(what: str, rows: QuerySet[Any], column: str) -> Any:
    return rows.annotate(what=Value(what)).values_list("what", column)
