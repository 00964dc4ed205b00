"""What undoing an execution would do: every effect it had, last one first, with what takes it back or why nothing can.

Reads only. What is planned here is what `releases.undoing` does, and what pages say about every effect.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from uuid import UUID

from approvals.models.request import FOR_GOOD
from approvals.rules.policies import TIERS
from orchestrator.gate.compensation import arguments_for, standing
from orchestrator.gate.contracts import problems_with
from orchestrator.gate.doubt import versions_of
from orchestrator.gate.snapshot import IRREVERSIBLE, UNDONE_BY_ITSELF
from orchestrator.gate.undo import how_undone, words
from orchestrator.models import Action, Channel, Execution, Release, Step, Tool
from orchestrator.models.definition import Effect as Kind
from orchestrator.statuses import ActionStatus

State = Literal["can", "cannot", "under_way", "undone"]
# Something was sent in these, or somebody says they did it themselves.
HAD_EFFECT = [
    ActionStatus.SUCCEEDED,
    ActionStatus.UNDONE,
    ActionStatus.UNKNOWN,
    ActionStatus.REDEEMED,
    ActionStatus.ANSWERED,
]


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect on the outside world. `why` answers “how is it undone?” whatever the state."""

    action: Action
    state: State
    why: str
    tool: Tool | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    # The action that stands for taking it back.
    compensation: UUID | None = None

    @property
    def people(self) -> int:
        """How many must sign the compensation at least; a policy may ask for more."""
        return TIERS[self.tool.tier] if self.tool else 0


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a plan asks of a release: everything but its code, which may be megabytes."""

    digest: str
    version: str
    steps: list[dict[str, Any]]
    tools: dict[str, dict[str, Any]]
    code_digest: str
    env: list[str]


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """In the order in which they are taken back. `release` is the one whose code does it."""

    execution: Execution
    effects: list[Effect]
    release: Pinned

    def in_state(self, *states: State) -> list[Effect]:
        return [effect for effect in self.effects if effect.state in states]

    @property
    def possible(self) -> list[Effect]:
        return self.in_state("can")

    @property
    def signatures(self) -> int:
        return sum(effect.people for effect in self.possible)


def plan_of(execution: Execution) -> UndoPlan:
    """A constant number of statements, whatever the number of effects."""
    reading = _Reading(execution)
    best = max(reading.releases, key=lambda release: len(reading.planned(release).possible))
    return reading.planned(best)


def is_effect(action: Action) -> bool:
    """Whether it did something to the world that somebody could want undone."""
    return action.undoes_id is None and action.status in HAD_EFFECT and action.effect != Kind.READ


def effects_of(execution: Execution) -> list[Action]:
    """What it did to the world, the last effect first. Taking something back is no effect to be taken back again."""
    rows = Action.objects.filter(execution_id=execution.pk, undoes_id__isnull=True, status__in=HAD_EFFECT)
    found = list(rows.exclude(effect=Kind.READ).defer("record"))
    return sorted(found, key=lambda action: (action.finished_at or action.created_at, action.pk), reverse=True)


class _Reading:
    """Everything the plan needs, read once. The release that ran comes first; the one in production may know newer tools."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.actions = effects_of(execution)
        self.standing = standing(action.pk for action in self.actions)
        self.releases = _releases(execution)
        keys = dict(Step.objects.filter(execution_id=execution.pk).values_list("pk", "key"))
        said = {step["key"]: step.get("compensate_with") for step in self.releases[0].steps}
        self.said: dict[UUID | None, str | None] = {pk: said.get(key) for pk, key in keys.items()}

    @cached_property
    def versions(self) -> list[Tool]:
        """Of the tools that acted."""
        return versions_of(action.tool for action in self.actions)

    @cached_property
    def active(self) -> dict[str, Tool]:
        """The compensating tools in force."""
        names = {self.name_for(action) for action in self.actions}
        return {tool.name: tool for tool in Tool.objects.active().filter(name__in=names)}

    def name_for(self, action: Action) -> str:
        """What the step says takes it back, else what its tool says: as it was then, or as it is now."""
        mine = [tool for tool in self.versions if tool.name == action.tool]
        then = [tool for tool in mine if tool.version == action.tool_version]
        now = [tool for tool in mine if tool.status == "active"]
        named = [tool.compensate_with for tool in [*then, *now] if tool.compensate_with]
        return self.said.get(action.step_id) or (named[0] if named else "")

    def planned(self, release: Pinned) -> UndoPlan:
        return UndoPlan(self.execution, [self._effect(action, release) for action in self.actions], release)

    def _effect(self, action: Action, release: Pinned) -> Effect:
        stands = self.standing.get(action.pk)
        if action.status == ActionStatus.UNDONE or stands is not None:
            done = action.status == ActionStatus.UNDONE
            state: State = "undone" if done else "under_way"
            why = words(stands) if stands else "It is undone."
            return Effect(action, state, why, compensation=stands.pk if stands else None)
        hindered = _hindered(action)
        if hindered or action.step_id is None:
            return Effect(action, "cannot", hindered or self._by_its_agent(action))
        return self._compensation(action, release)

    def _by_its_agent(self, action: Action) -> str:
        """As `gate.undo` answers: nobody is sent to an agent that could not do it either."""
        then = [tool for tool in self.versions if (tool.name, tool.version) == (action.tool, action.tool_version)]
        tool = then[0] if then else None
        if tool is None or tool.compensate_with in {"", tool.name}:
            return how_undone(action, tool)
        return f"Its agent carries out what it proposed: through that agent, by {tool.compensate_with}."

    def _compensation(self, action: Action, release: Pinned) -> Effect:
        name = self.name_for(action)
        tool = self.active.get(name)
        pinned = release.tools.get(name, {}).get("version")
        if not name:
            return Effect(action, "cannot", f"{FOR_GOOD}no compensating tool is registered for {action.tool}.")
        if name == action.tool:
            return Effect(action, "cannot", UNDONE_BY_ITSELF)
        if tool is None:
            return Effect(action, "cannot", f"{FOR_GOOD}{name}, which would, is not active.")
        if pinned != tool.version:
            knows = f"knows version {pinned}" if pinned else "does not hold it"
            why = f"Cannot be undone from here: {name} {tool.version} is in force, and the workflow's release {knows}. "
            return Effect(action, "cannot", f"{why}Publish the workflow again, or undo it by hand.")
        arguments = arguments_for(tool, action)
        problems = problems_with(arguments, tool.input_schema)
        if problems:
            where, rule = problems[0]
            why = f"{FOR_GOOD}{name} cannot be given what it needs, at {where}: {rule}."
            return Effect(action, "cannot", why)
        return Effect(action, "can", f"Can be undone by {name}, which is itself gated.", tool, arguments)


_PINNED = ("bundle__spec__steps", "bundle__tools", "bundle__code_digest", "bundle__env")


def _releases(execution: Execution) -> list[Pinned]:
    """The release that ran, then the one in production where that is another."""
    channels = Channel.objects.filter(workflow=execution.workflow, name="production")
    wanted = {execution.release_id, *channels.values_list("release_id", flat=True)}
    rows = Release.objects.filter(pk__in=wanted).values_list("pk", "digest", "version", *_PINNED)
    found = {pk: Pinned(*rest) for pk, *rest in rows}
    return [found.pop(execution.release_id), *found.values()]


def _hindered(action: Action) -> str:
    if action.status == ActionStatus.UNKNOWN:
        return "Cannot be undone yet: nobody knows whether it happened. Say what happened first."
    if action.status == ActionStatus.REDEEMED:
        return "Cannot be undone yet: it is on its way, and no answer has come."
    if action.status == ActionStatus.ANSWERED:
        return "Cannot be undone from here: a person gave the result, and nothing was sent."
    if action.effect == Kind.IRREVERSIBLE:
        return IRREVERSIBLE
    return ""
