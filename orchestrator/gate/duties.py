"""Separation of duties: everybody who had a hand in what is decided on, with the words for how. None of them signs for it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Q

from approvals.models import Bypass, Verdict
from approvals.models.request import step_of
from approvals.rules.policies import Requirement
from audit.lifecycle import run
from orchestrator.models import Action, Release, Tool

Duties = dict[str, str]


def duties_of(action: Action, *, tool: Tool, requirement: Requirement) -> Duties:
    """Who owns or edited the agent, edited the tool, input, policy or bypass that holds, published it, or is acted for."""
    released = _released(action) if action.step_id and action.execution_id else None
    agents = [action.agent, action.requester.removeprefix("agent:")]
    duties = duties_of_agents(agents, pinned=released.agents if released else {})
    _edited(duties, tool.editors, f"the tool {tool}")
    for editor, policy in requirement.editors:
        _edited(duties, [editor], f"the policy {policy}, which asks for this")
    for lowered in Bypass.objects.filter(pk=action.bypass_id) if action.bypass_id else ():
        _edited(duties, lowered.editors, f"the bypass {lowered.name}, under which fewer people sign")
    if released:
        published = _published(released.by, released.workflow)
        duties |= {key: words for key, words in published.items() if key not in duties}
    if action.execution_id:
        duties = _of_hands(hands_in(action.execution_id)) | duties
    return _acted_for(action.context) | duties


def duties_of_step(*, owned: Duties, workflow: str, published_by: str, hands: "Hands") -> Duties:
    """For a decision about a step: `owned` are the duties of the agents whose work is decided on, and of the one that asks;
    then whoever published the workflow, did a step of it or shaped one."""
    return _published(published_by, workflow) | _of_hands(hands) | owned


class _Released(NamedTuple):
    """The release that a step runs under: the version of each agent it names, and who put it there."""

    agents: dict[str, int]
    workflow: str
    by: str


def _released(action: Action) -> _Released:
    rows = Release.objects.filter(execution__pk=action.execution_id)
    agents, workflow, version, by = rows.values_list("bundle__agents", "workflow", "version", "created_by").get()
    return _Released({name: contract["version"] for name, contract in agents.items()}, f"{workflow} {version}", by)


class Given(NamedTuple):
    """A result that a person gave, of a step done by hand or in a tool's place."""

    person_id: int
    for_person_id: int | None
    person_name: str
    note: str
    tool: str

    @property
    def step(self) -> str:
        """Empty in a tool's place."""
        return step_of(self.tool)


class Hands(NamedTuple):
    """What people put into an execution, in order: results, and what shaped the work of others."""

    results: list[Given]
    shaped: Duties


# Of each execution by itself, so that however many are asked for, each is found by its indexes.
_HANDS = """
SELECT e.id, h.* FROM unnest(%(executions)s::uuid[]) AS e (id) CROSS JOIN LATERAL (
  SELECT true, d.person_id, d.for_person_id, d.person_name, d.note, r.tool, d.at, d.id
  FROM approvals_approvalrequest AS r JOIN approvals_decision AS d ON d.request_id = r.id
  WHERE r.execution_id = e.id AND d.verdict = %(answer)s
  UNION ALL SELECT false, p.person_id, NULL, '', '', 'corrected the input of the step ' || s.key, p.at, p.id
  FROM orchestrator_step AS s JOIN orchestrator_steppatch AS p ON p.step_id = s.id WHERE s.execution_id = e.id
  UNION ALL SELECT false, o.person_id, NULL, '', '', 'said what ' || a.tool || ' had done', o.at, o.id
  FROM orchestrator_action AS a JOIN orchestrator_outcomeanswer AS o ON o.action_id = a.id
  WHERE a.execution_id = e.id AND o.verdict = 'happened'
) AS h (gave, person, for_person, name, note, what, at, id) ORDER BY h.at, h.id
"""


def hands_in(execution_id: UUID) -> Hands:
    """Whoever gave a result, corrected an input, or said of a send without an answer that it happened, and with what
    result: it is in all that follows from there."""
    return hands_in_all([execution_id])[execution_id]


def hands_in_all(execution_ids: Sequence[UUID]) -> dict[UUID, Hands]:
    """The same of each of these executions."""
    hands = {execution_id: Hands([], {}) for execution_id in execution_ids}
    rows = run(_HANDS, {"executions": list(execution_ids), "answer": Verdict.ANSWER})
    for execution_id, gave, person, for_person, name, note, what, *_ in rows:
        if gave:
            hands[execution_id].results.append(Given(person, for_person, name, note, what))
        else:
            hands[execution_id].shaped[f"user:{person}"] = what
    return hands


def _of_hands(hands: Hands) -> Duties:
    """Whoever gave what an act rests on does not sign for it, nor do those whose right they used."""
    duties: Duties = {}
    for one in hands.results:
        words = f"did the step {one.step} by hand" if one.step else f"gave the result in place of {one.tool}"
        for person in (one.person_id, one.for_person_id):
            if person is not None:
                duties.setdefault(f"user:{person}", words)
    return hands.shaped | duties


# In force, or the last that was: work does not lose its owner when the agent is retired. And the versions that did the work.
_AGENTS = """
SELECT name || ' v' || version, name, owner_id, editors FROM orchestrator_agent AS a WHERE name = ANY (%s) AND (
  (name, version) IN (SELECT * FROM unnest(%s::text[], %s::int[]))
  OR id = (SELECT id FROM orchestrator_agent AS other WHERE other.name = a.name AND activated_at IS NOT NULL
           ORDER BY status = 'active' DESC, activated_at DESC LIMIT 1))
ORDER BY name, version
"""


def duties_of_agents(names: Iterable[str], *, pinned: Mapping[str, int] = MappingProxyType({})) -> Duties:
    """Of the agents of these names, as far as there are any; `pinned` are the versions that a release names."""
    duties: Duties = {}
    wanted = sorted({*names} - {""})
    for title, name, owner, editors in run(_AGENTS, [wanted, [*pinned], [*pinned.values()]]) if wanted else []:
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
    claimed = str(context.get("requester", "")).strip()
    if not claimed:
        return {}
    # As agents know people: by user name or address, and not always in the letters they were entered with.
    behind = get_user_model().objects.filter(Q(username__iexact=claimed) | Q(email__iexact=claimed))
    return {f"user:{pk}": "are the person the agent acts for" for pk in behind.values_list("pk", flat=True)}
