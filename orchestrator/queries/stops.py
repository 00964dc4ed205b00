"""What is stopped now, for the band on every page; the list of all stops; and one stop with what waits for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from approvals.models import ApprovalRequest, Bypass, Stop
from approvals.operations import stops as verbs
from approvals.rules.administrators import is_administrator
from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.queries import Keyset, Slice, Story, story
from audit.refusals import NotVisible, Refusal
from budgets.models import BusinessUnit
from budgets.units import above, below
from orchestrator.gate.judge import WORKFLOW
from orchestrator.models import Action, Agent, Channel, Step, Tool
from orchestrator.statuses import ActionStatus, StepStatus

NEWEST_FIRST = Keyset(("-engaged_at", "-id"))
MOST_IN_BAND = 3


@dataclass(frozen=True, slots=True)
class Band:
    """What stands on top of every page of whoever sees something that is stopped."""

    stops: list[Stop]
    bypasses: list[Bypass]

    @property
    def shown(self) -> list[Stop]:
        return self.stops[:MOST_IN_BAND]

    @property
    def more(self) -> int:
        return len(self.stops) - len(self.shown)

    @property
    def version(self) -> str:
        """Part of an address and of a header, so no more than one id and a number."""
        rows = [*self.stops, *self.bypasses]
        return f"{len(rows)}.{max((row.pk for row in rows), default='')}"


def band(actor: Actor) -> Band:
    return Band(engaged(actor), list(Bypass.objects.in_force().visible_to(actor).order_by("activated_at")[:20]))


def engaged(actor: Actor) -> list[Stop]:
    """What is stopped somewhere the reader can see, the oldest first. One statement while nothing is stopped."""
    found = list(Stop.objects.engaged().order_by("engaged_at", "id")[:200])
    if all(stop.unit_id is None for stop in found):
        return found
    seen = scope.unit_ids(actor, "view")
    near = {None, *seen, *above(seen)}
    return [stop for stop in found if stop.unit_id in near]


@dataclass(frozen=True, slots=True)
class StopList:
    now: list[Stop]
    rows: list[Stop]
    slice: Slice


def stop_list(actor: Actor, *, after: str = "", before: str = "") -> StopList:
    """What is stopped now, and what was."""
    seen = scope.unit_ids(actor, "view")
    rows = Stop.objects.filter(Q(unit_id=None) | Q(unit_id__in={*seen, *above(seen)})).exclude(status="engaged")
    found = NEWEST_FIRST.slice(rows, after=after, before=before)
    return StopList(engaged(actor), found.rows, found)


@dataclass(frozen=True, slots=True)
class StopPage:
    """One stop. `why_not` says why the reader cannot lift it, "" when they can."""

    stop: Stop
    frozen: int
    actions: int
    steps: int
    story: Story
    why_not: str

    @property
    def version(self) -> str:
        return f"{self.stop.status}.{self.frozen}.{self.actions}.{self.steps}"


def stop_page(actor: Actor, stop_id: UUID) -> StopPage:
    """Raises NotVisible."""
    stop: Stop | None = Stop.objects.filter(pk=stop_id).first()
    if stop is None or not verbs.is_visible(stop, actor):
        raise NotVisible("There is no such stop, or it is not in a business unit you may see.")
    waiting = _waiting(stop, scope.unit_ids(actor, "view")) if stop.is_engaged else (0, 0, 0)
    return StopPage(stop, *waiting, story([stop.stream], names={stop.pk: stop.target}), _why_not(stop, actor))


def _waiting(stop: Stop, seen: Iterable[UUID]) -> tuple[int, int, int]:
    """How many requests, actions and steps wait for it, in units the reader sees."""
    units = set(seen) & below(stop.unit_id) if stop.unit_id else set(seen)
    named = {name: value for name, value in (("agent", stop.agent), ("tool", stop.tool)) if value}
    requests = ApprovalRequest.objects.filter(unit_id__in=units, **named).frozen()
    held = Q(status=ActionStatus.HELD, approval_id=None) | Q(status=ActionStatus.GRANTED)
    actions = Action.objects.filter(held, unit_id__in=units, **named)
    steps = Step.objects.filter(status=StepStatus.STOPPED, unit_id__in=units)
    if stop.agent.startswith(WORKFLOW):
        steps = steps.filter(execution__workflow=stop.agent.removeprefix(WORKFLOW))
    elif named:
        # A step that is one, and a step of whichever agent that was parked in a call.
        own = Q(**{f"spec__{name}": value for name, value in named.items()})
        steps = steps.filter(own | Q(pk__in=actions.filter(step_id__isnull=False).values("step_id")))
    return requests.count(), actions.count(), steps.count()


def _why_not(stop: Stop, actor: Actor) -> str:
    try:
        verbs.refuse_lifting(stop, actor)
    except Refusal as refusal:
        return refusal.message
    return ""


# Stopping everywhere is said, never left out: an empty choice would be read as one's own unit.
EVERY_UNIT = "every"


def choices(actor: Actor, *, agent: str = "", tool: str = "") -> dict[str, list[tuple[str, str]]]:
    """What can be stopped by this person; `agent` and `tool` are those of the page they came from."""
    mine = scope.unit_ids(actor, "operate")
    units = BusinessUnit.objects.filter(pk__in=mine, status=DefinitionStatus.ACTIVE).order_by("title")
    offered = [(str(unit.pk), f"{unit.title} and below") for unit in units]
    if is_administrator(actor):
        offered.append((EVERY_UNIT, "Every business unit"))
    seen = scope.unit_ids(actor, "view")
    near = Agent.objects.active().filter(unit_id__in={*seen, *above(seen)})
    agents = set(near.values_list("name", flat=True)) | ({agent} if agent else set())
    workflows = set(Channel.objects.values_list("workflow", flat=True))
    tools = set(Tool.objects.active().values_list("name", flat=True)) | ({tool} if tool else set())
    calls = sorted(agents | {f"{WORKFLOW}{name}" for name in workflows})
    return {
        "agent": [("", "Choose"), *((name, name) for name in calls)],
        "tool": [("", "Choose"), *((name, name) for name in sorted(tools))],
        "unit": [("", "Choose"), *offered] if offered else [],
    }
