"""The lane of unknown outcomes: what was sent and never answered, what has been tried, and what happens next."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from audit.actors import Actor
from audit.models import AuditEvent
from audit.queries import Keyset, Slice, counted
from orchestrator.gate.doubt import LOOKS, Doubt, doubt_of, needs_two, versions_of
from orchestrator.models import Action, OutcomeAnswer, OutcomeVerdict, Step
from orchestrator.queries.actions import title
from orchestrator.queries.work import units_to_choose
from orchestrator.statuses import StepStatus

OLDEST_FIRST = Keyset(("created_at", "id"))
TRIED = ["action.redeemed", "action.reconciled"]


@dataclass(frozen=True, slots=True)
class Tried:
    """How often it was sent and looked up, and what the last look said."""

    sends: int = 0
    looks: int = 0
    last_look: str = ""


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """One doubtful send, with everything needed to decide about it."""

    action: Action
    title: str
    doubt: Doubt
    tried: Tried
    following: str
    due_at: datetime | None
    owner: str
    answers: list[OutcomeAnswer]


@dataclass(frozen=True, slots=True)
class DoubtList:
    rows: list[DoubtRow]
    slice: Slice
    total: str


def doubt_list(
    actor: Actor, *, unit: str = "", since: datetime | None = None, q: str = "", after: str = "", before: str = ""
) -> DoubtList:
    """Oldest first: what is longest in doubt is the most urgent."""
    rows: QuerySet[Action] = Action.objects.visible_to(actor).unknown()
    if unit:
        rows = rows.filter(unit_id=unit)
    if since:
        rows = rows.filter(created_at__gte=since)
    if q:
        rows = rows.filter(Q(tool__icontains=q) | Q(business_key__icontains=q) | Q(idempotency_key=q))
    found = OLDEST_FIRST.slice(rows.defer("context", "record"), after=after, before=before)
    return DoubtList(doubts_of(found.rows), found, counted(rows))


def doubts_of(actions: Iterable[Action]) -> list[DoubtRow]:
    """A constant number of statements, however many there are."""
    reading = _Reading(list(actions))
    return [reading.row(action) for action in reading.actions]


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer."""
    return {"unit": units_to_choose(actor)}


class _Reading:
    """Everything beside the actions, read once for all of them."""

    def __init__(self, actions: list[Action]) -> None:
        ids = [action.pk for action in actions]
        self.actions = actions
        self.versions = versions_of(action.tool for action in actions)
        self.tools = {(tool.name, tool.version): tool for tool in self.versions}
        steps = Step.objects.filter(pk__in=[action.step_id for action in actions if action.step_id])
        steps = steps.select_related("execution").defer("execution__input", "execution__output")
        self.steps: dict[UUID | None, Step] = {step.pk: step for step in steps}
        self.tried, self.answers = _tried(ids), _answers(ids)

    def row(self, action: Action) -> DoubtRow:
        tool, answers = self.tools.get((action.tool, action.tool_version)), self.answers[action.pk]
        step = self.steps.get(action.step_id)
        two = needs_two(action, self.versions) and (step is None or not step.is_over)
        following, due_at = following_of(action, step, answers, needs_two=two)
        kept = next((one.owner for one in reversed(answers) if one.owner), "")
        return DoubtRow(
            action=action,
            title=title(action, self.tools),
            doubt=doubt_of(action, self.versions),
            tried=self.tried.get(action.pk, Tried()),
            following=following,
            due_at=due_at,
            owner=kept or (tool.owner if tool else ""),
            answers=answers,
        )


def following_of(
    action: Action, step: Step | None, answers: list[OutcomeAnswer], *, needs_two: bool
) -> tuple[str, datetime | None]:
    """What happens next, and when. Nothing here sends anything: it says what the engine or a person will do."""
    since = [one for one in answers if action.redeemed_at is None or one.at >= action.redeemed_at]
    said = since[-1] if since else None
    if said is not None and said.verdict == OutcomeVerdict.DID_NOT and needs_two:
        name = said.person_name
        return f"{name} says it did not happen. A second person has to find the same before it is sent again.", None
    if said is not None and said.verdict == OutcomeVerdict.CANNOT_TELL:
        return f"{said.person_name} cannot tell yet. It stays parked; the next reminder:", action.next_look_at
    return _by_itself(action, step)


_ASKED = "A person has to say what happened"
_WAITING_IN = {
    StepStatus.PENDING: "A worker is about to look it up.",
    StepStatus.IN_PROGRESS: "A worker is about to look it up.",
    StepStatus.UNKNOWN_OUTCOME: f"{_ASKED}. The next reminder:",
    StepStatus.DEAD_LETTER: "Its step is a dead letter: a redrive looks it up before anything is sent.",
}


def _by_itself(action: Action, step: Step | None) -> tuple[str, datetime | None]:
    """What the engine does next about it, where anything is left to do without a person."""
    if step is None:
        return f"{_ASKED}; the agent learns of it. The next reminder:", action.next_look_at
    if step.is_over:
        return f"Its execution is over, so nothing is sent again. {_ASKED}. The next reminder:", action.next_look_at
    if step.status == StepStatus.SCHEDULED:
        return "The step's next attempt settles it: it looks before it sends. Due:", step.due_at
    if step.status == StepStatus.UNKNOWN_OUTCOME and action.looks < LOOKS:
        nth = f"look {action.looks + 1} of {LOOKS}"
        return f"The other system's books are asked again, {nth}, then a person is. Due:", action.next_look_at
    elsewhere = "Its step waits for something else, and looks it up when it goes on."
    words = _WAITING_IN.get(StepStatus(step.status), elsewhere)
    return words, action.next_look_at if words.endswith(":") else None


def _tried(ids: list[UUID]) -> dict[UUID, Tried]:
    rows = AuditEvent.objects.filter(object_id__in=ids, event__in=TRIED).order_by("at", "seq")
    counts: dict[UUID, Counter[str]] = defaultdict(Counter)
    last: dict[UUID, str] = {}
    for event in rows.only("object_id", "event", "why", "at", "seq"):
        if event.object_id is not None:
            counts[event.object_id][event.event] += 1
            if event.event == "action.reconciled":
                last[event.object_id] = event.why
    return {
        pk: Tried(found["action.redeemed"], found["action.reconciled"], last.get(pk, ""))
        for pk, found in counts.items()
    }


def _answers(ids: list[UUID]) -> dict[UUID, list[OutcomeAnswer]]:
    found: dict[UUID, list[OutcomeAnswer]] = defaultdict(list)
    for one in OutcomeAnswer.objects.filter(action_id__in=ids).order_by("at"):
        found[one.action_id].append(one)
    return found
