"""The newest actions as policies see them, for trying a draft on: a handful of statements, however many actions."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from approvals.queries.trial import PastAction
from audit.actors import Actor
from budgets.models import BusinessUnit
from orchestrator.gate.judge import STRICTEST_TIER, facts_about, facts_of
from orchestrator.gate.snapshot import title_of
from orchestrator.models import Action, Agent, Execution, Tool


def past_actions(by: Actor, tool: str, unit_ids: Iterable[UUID], last: int) -> list[PastAction]:
    """Newest first, of what the asker may see."""
    rows = Action.objects.visible_to(by).filter(unit_id__in=list(unit_ids))
    actions = list((rows if tool == "*" else rows.filter(tool=tool)).newest_first()[:last])
    tools = {row.name: row for row in Tool.objects.active().filter(name__in={row.tool for row in actions})}
    named = Agent.objects.active().select_related("owner").filter(name__in={row.agent for row in actions})
    agents = {row.name: row for row in named}
    units = _by_id(
        BusinessUnit.objects.filter(pk__in={row.unit_id for row in actions}).values("pk", "name", "title", "currency")
    )
    executions = Execution.objects.in_bulk({row.execution_id for row in actions if row.step_id})
    return [
        _seen(
            row,
            tools.get(row.tool),
            agents.get(row.agent),
            units.get(row.unit_id, {}),
            executions.get(row.execution_id),
        )
        for row in actions
    ]


def _by_id(rows: Iterable[Any]) -> dict[UUID, dict[str, Any]]:
    return {row.pop("pk"): row for row in rows}


def _seen(
    action: Action, tool: Tool | None, agent: Agent | None, unit: dict[str, Any], execution: Execution | None
) -> PastAction:
    arguments = json.loads(action.arguments)
    about = facts_of(execution, action.context.get("step", "")) if execution else {}
    return PastAction(
        id=action.pk,
        at=action.created_at,
        title=title_of(tool, arguments) if tool else str(action),
        url=action.get_absolute_url(),
        tool=action.tool,
        tier=tool.tier if tool else STRICTEST_TIER,
        unit_id=action.unit_id,
        facts=facts_about(tool, agent, arguments, unit, about),
    )
