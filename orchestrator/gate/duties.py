"""Separation of duties: everybody who had a hand in what is decided on, with the words for how. None of them signs for it."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model

from approvals.policies import Requirement
from audit.lifecycle import run
from orchestrator.models import Action, Release, StepPatch, Tool

Duties = dict[str, str]


def duties_of(action: Action, *, tool: Tool, requirement: Requirement) -> Duties:
    """Who owns or edited the agent, edited the tool, the input or a policy that holds, published it, or is acted for."""
    duties = duties_of_agents([action.agent, action.requester.removeprefix("agent:")])
    _edited(duties, tool.editors, f"the tool {tool}")
    for editor, policy in requirement.editors:
        _edited(duties, [editor], f"the policy {policy}, which asks for this")
    if action.step_id and action.execution_id:
        release = Release.objects.filter(execution__pk=action.execution_id).only(
            "workflow", "version", "digest", "created_by"
        )
        one = release.get()
        published = _published(one.created_by, f"{one.workflow} {one.version}")
        duties |= {key: words for key, words in published.items() if key not in duties}
        for patcher in StepPatch.objects.filter(step_id=action.step_id).values_list("person_id", flat=True):
            _edited(duties, [patcher], "the input of this step")
    return _acted_for(action.context) | duties


def duties_of_step(*, requester: str, agents: Iterable[str], workflow: str, published_by: str) -> Duties:
    """For a decision about a step: the agents whose work is decided on, and whoever published the workflow."""
    asking = [requester.removeprefix("agent:")] if requester.startswith("agent:") else []
    return _published(published_by, workflow) | duties_of_agents([*agents, *asking])


_AGENTS = """
SELECT name || ' v' || version, name, owner_id, editors FROM orchestrator_agent
WHERE status = 'active' AND name = ANY (%s) ORDER BY name
"""


def duties_of_agents(names: Iterable[str]) -> Duties:
    """Of the agents of these names, as far as there are any."""
    duties: Duties = {}
    wanted = sorted({*names} - {""})
    for title, name, owner, editors in run(_AGENTS, [wanted]) if wanted else []:
        _edited(duties, editors, f"the agent {title}")
        duties[f"user:{owner}"] = f"own the agent {name}"
    return duties


def _edited(duties: Duties, editors: Iterable[int], what: str) -> None:
    for editor in editors:
        duties.setdefault(f"user:{editor}", f"edited {what}")


def _published(by: str, workflow: str) -> Duties:
    """A release made by the system has no person behind it."""
    return {by: f"published the workflow {workflow}"} if by.startswith("user:") else {}


def _acted_for(context: dict[str, Any]) -> Duties:
    """Nobody signs for themselves by way of an agent that says whom it acts for."""
    claimed = str(context.get("requester", ""))
    behind = get_user_model().objects.filter(username=claimed).values_list("pk", flat=True).first() if claimed else None
    return {f"user:{behind}": "are the person the agent acts for"} if behind else {}
