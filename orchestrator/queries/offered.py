"""What lists can be narrowed to, found without reading a million rows: the units and workflows that have executions, and
the agents and tools that may have called.

The sums of outcomes know every unit and workflow up to the last sweep; what is newer is among the newest.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import Value

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.lifecycle import run
from budgets.units import above
from orchestrator.gate.propose import WORKFLOW
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
    tools = Tool.objects.exclude(status=DefinitionStatus.DRAFT).order_by()
    named = agents.order_by().annotate(what=Value("agent")).values_list("what", "name")
    found = {*named.union(tools.annotate(what=Value("tool")).values_list("what", "name"))}
    for agent, tool in Action.objects.visible_to(actor).newest_first().values_list("agent", "tool")[:NEWEST]:
        found |= {("agent", agent), ("tool", tool)}
    found |= {("agent", f"{WORKFLOW}{name}") for name in workflows}
    return {what: [(name, name) for kind, name in sorted(found) if kind == what] for what in ("agent", "tool")}
