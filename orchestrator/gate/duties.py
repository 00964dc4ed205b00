"""Separation of duties: everybody who had a hand in what is decided on, with the words for how. None of them signs for it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from approvals.models import Decision, Verdict
from approvals.policies import Requirement
from audit.lifecycle import run
from orchestrator.models import Action, Execution, Release, StepPatch, Tool

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
    return _acted_for(action.context) | _gave_results(action.execution_id) | duties


def duties_of_step(*, execution: Execution, agents: Iterable[str], workflow: str, published_by: str) -> Duties:
    """For a decision about a step: the agents whose work is decided on, whoever published the workflow or did a step of it."""
    requester = execution.requester
    asking = [requester.removeprefix("agent:")] if requester.startswith("agent:") else []
    gave = _gave_results(execution.pk)
    return _published(published_by, workflow) | gave | duties_of_agents([*agents, *asking])


def results_of_people(execution_id: UUID) -> list[Decision]:
    """What people gave in this execution, of a step done by hand or in a tool's place, in order."""
    given = Decision.objects.filter(verdict=Verdict.ANSWER, request__execution_id=execution_id)
    return list(given.select_related("request").defer("request__snapshot").order_by("at", "id"))


def _gave_results(execution_id: UUID | None) -> Duties:
    """Whoever gave what an act rests on does not sign for it, nor do those whose right they used."""
    duties: Duties = {}
    for one in results_of_people(execution_id) if execution_id else []:
        step = one.request.step_key
        words = f"did the step {step} by hand" if step else f"gave the result in place of {one.request.tool}"
        for person in (one.person_id, one.for_person_id):
            if person is not None:
                duties.setdefault(f"user:{person}", words)
    return duties


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
