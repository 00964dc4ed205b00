"""Separation of duties: everybody who had a hand in what is decided on, with the words for how. None of them signs for it."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model

from approvals.policies import Requirement
from orchestrator.models import Action, Agent, Execution, Release, StepPatch, Tool

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
        duties |= {key: words for key, words in _published(release.get()).items() if key not in duties}
        for patcher in StepPatch.objects.filter(step_id=action.step_id).values_list("person_id", flat=True):
            _edited(duties, [patcher], "the input of this step")
    return _acted_for(action.context) | duties


def duties_of_execution(execution: Execution, agents: Iterable[str]) -> Duties:
    """For a decision about a step: the agents whose work is decided on, and the workflow itself."""
    return _published(execution.release) | duties_of_agents([*agents, execution.requester.removeprefix("agent:")])


def duties_of_agents(names: Iterable[str]) -> Duties:
    duties: Duties = {}
    for agent in Agent.objects.active().filter(name__in=set(names)).order_by("name"):
        _edited(duties, agent.editors, f"the agent {agent}")
        duties[f"user:{agent.owner_id}"] = f"own the agent {agent.name}"
    return duties


def _edited(duties: Duties, editors: Iterable[int], what: str) -> None:
    for editor in editors:
        duties.setdefault(f"user:{editor}", f"edited {what}")


def _published(release: Release) -> Duties:
    """A release made by the system has no person behind it."""
    is_person = release.created_by.startswith("user:")
    return {release.created_by: f"published the workflow {release.workflow} {release.version}"} if is_person else {}


def _acted_for(context: dict[str, Any]) -> Duties:
    """Nobody signs for themselves by way of an agent that says whom it acts for."""
    claimed = str(context.get("requester", ""))
    behind = get_user_model().objects.filter(username=claimed).values_list("pk", flat=True).first() if claimed else None
    return {f"user:{behind}": "are the person the agent acts for"} if behind else {}
