"""One execution whole: its state line, graph, the step a person looks at, its story, and the answers an auditor asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Sum, prefetch_related_objects

from approvals.models import ApprovalRequest, Decision, Edit
from approvals.queries import history, signed_by
from approvals.statuses import RequestStatus
from audit import scope
from audit.actors import Actor
from audit.models import AuditEvent, AuditStream
from audit.queries import Story, visible_or_refuse
from audit.templatetags._status import pill
from budgets.models import LedgerEntry
from budgets.queries import LetThrough, let_through
from orchestrator.gate.undo import how_undone
from orchestrator.models import Action, Attempt, DeadLetter, Execution, OutcomeAnswer, Step, StepPatch
from orchestrator.operations.undo_plan import is_effect, plan_of
from orchestrator.queries.actions import title, tools_of
from orchestrator.queries.costs import Cost, cost_of, costs_by
from orchestrator.queries.executions import took
from orchestrator.queries.story import condensed
from orchestrator.queries.undoing import Undoing, undoings_of
from orchestrator.statuses import ActionStatus, ExecutionStatus, StepStatus

TROUBLE = (StepStatus.BUSINESS_ERROR, StepStatus.DEAD_LETTER, StepStatus.SYSTEM_ERROR, StepStatus.UNKNOWN_OUTCOME)
PRESENT = (
    StepStatus.STOPPED,
    StepStatus.THROTTLED,
    StepStatus.AWAITING_APPROVAL,
    StepStatus.SCHEDULED,
    StepStatus.BUDGET_HOLD,
    StepStatus.IN_PROGRESS,
)
SHOWN_ACTIONS = 100
SMOOTH = {ActionStatus.SUCCEEDED, ActionStatus.UNDONE}


@dataclass(frozen=True, slots=True)
class State:
    """One stop of the state line."""

    label: str
    place: str
    at: datetime | None = None
    tone: str = "neutral"


@dataclass(frozen=True, slots=True)
class Node:
    """One box of the graph."""

    key: str
    status: str
    url: str
    needs: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class ActionRow:
    action: Action
    title: str
    undo: str
    request: ApprovalRequest | None
    signatures: tuple[Decision, ...] = ()
    # What people found out where nobody had answered.
    said: tuple[OutcomeAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedRow:
    """A step that people decided, or did: no call stands behind what they were asked."""

    request: ApprovalRequest
    signatures: tuple[Decision, ...]

    @property
    def undo(self) -> str:
        if self.request.status == RequestStatus.ANSWERED:
            return "Cannot be undone from here: a person did it by hand."
        return "Nothing to undo: it says how the execution goes on."


@dataclass(frozen=True, slots=True)
class StepPanel:
    """The step a person looks at, and its story."""

    step: Step
    attempts: list[Attempt]
    actions: list[ActionRow]
    more_actions: int
    requests: list[ApprovalRequest]
    letter: DeadLetter | None
    story: Story
    smooth: int
    took: timedelta | None

    @property
    def is_failing(self) -> bool:
        """Its last failure is still the news; once it goes on, the attempts tell of it."""
        return self.step.status in {*TROUBLE, StepStatus.SCHEDULED}


@dataclass(frozen=True, slots=True)
class ExecutionPage:
    execution: Execution
    states: list[State]
    nodes: list[Node]
    steps: list[Step]
    done: int
    attempts: int
    worked: timedelta
    waited: timedelta
    cost: Cost
    version: str
    may_operate: bool
    had_effects: bool
    waiting_requests: list[ApprovalRequest]
    letters: list[DeadLetter]
    selected: StepPanel | None = None
    story: Story | None = None
    actions: list[ActionRow] | None = None
    asked: list[AskedRow] | None = None
    patches: list[StepPatch] | None = None
    let_through: list[LetThrough] | None = None
    cost_lines: Mapping[str, list[tuple[str, Cost]]] | None = None
    undoing: Undoing | None = None
    undone: Execution | None = None

    @property
    def checks(self) -> int:
        """How much the Evidence tab answers for."""
        return len(self.actions or []) + len(self.asked or [])

    @property
    def fallbacks(self) -> list[Step]:
        """Steps that ran because the one they stand in for had failed: never silently."""
        return [step for step in self.steps if step.spec.get("stands_in_for") and step.started_at]

    @property
    def is_live(self) -> bool:
        """Something may still happen: to it, or to its effects."""
        return not self.execution.is_final or bool(self.undoing and self.undoing.is_under_way)


def visible(actor: Actor, execution_id: UUID) -> Execution:
    rows = Execution.objects.visible_to(actor).select_related("release").defer("release__bundle")
    return visible_or_refuse(rows, execution_id, "execution")  # type: ignore[no-any-return]


def version_of(execution: Execution) -> str:
    """Changes whenever anything happened to the execution or to a request of it."""
    requests = ApprovalRequest.objects.filter(execution_id=execution.pk).values_list("pk", flat=True)
    streams = [execution.stream, *(f"approval_request:{pk}" for pk in requests)]
    events = AuditStream.objects.filter(key__in=streams).aggregate(n=Sum("seq"))["n"] or 0
    runs: Any = Execution.objects.undoing().filter(parent_id=execution.pk) if execution.is_final else []
    return ".".join([execution.status, str(events), *(run.status for run in runs)])


def execution_page(
    actor: Actor, execution: Execution, *, tab: str, step: str, version: str, now: datetime
) -> ExecutionPage:
    """Everything one tab of the page shows."""
    reading = _Reading(actor, execution, now)
    selected = _selected(reading.steps, step)
    more: dict[str, Any] = {}
    if tab == "steps" and selected is not None:
        more["selected"] = reading.panel(selected)
    elif tab == "events":
        more["story"] = history(
            reading.requests, mine=reading.signed, streams=[execution.stream], names=reading.names()
        )
    elif tab == "evidence":
        more |= reading.evidence()
    elif tab == "cost":
        entries = LedgerEntry.objects.of_executions([execution.pk])
        more["cost_lines"] = {name: costs_by(entries, name) for name in ("agent", "tool", "model")}
    return reading.page(version, more)


def _selected(steps: list[Step], key: str) -> Step | None:
    """The step asked for; else the one that failed, else what happens now, else the last one that ran."""
    named = next((step for step in steps if step.key == key), None)
    if named or not steps:
        return named
    for statuses in (TROUBLE, PRESENT):
        for step in steps:
            if step.status in statuses:
                return step
    ran = [step for step in steps if step.started_at]
    return ran[-1] if ran else steps[0]


class _Reading:
    """The rows of one execution, read once and looked at from several sides."""

    def __init__(self, actor: Actor, execution: Execution, now: datetime) -> None:
        self.actor, self.execution, self.now = actor, execution, now
        self.steps: list[Step] = list(execution.steps.in_order())
        self.attempts: list[Attempt] = list(
            Attempt.objects.filter(execution_id=execution.pk).order_by("step__position", "number").defer("evidence")
        )
        self.actions: list[Action] = list(
            Action.objects.filter(execution_id=execution.pk).order_by("created_at", "id").defer("context")
        )
        self.requests: list[ApprovalRequest] = list(
            ApprovalRequest.objects.filter(execution_id=execution.pk).order_by("created_at").listed()
        )
        self.decisions = list(Decision.objects.filter(request__in=self.requests).order_by("at"))
        self.letters = list(DeadLetter.objects.filter(execution_id=execution.pk).order_by("first_at"))
        self.tools = tools_of(self.actions)

    @property
    def signed(self) -> set[UUID]:
        return signed_by(self.actor, self.requests, self.decisions)

    def page(self, version: str, more: Mapping[str, Any]) -> ExecutionPage:
        execution = self.execution
        return ExecutionPage(
            execution=execution,
            states=self.states(),
            nodes=[self._node(step) for step in self.steps],
            steps=self.steps,
            done=sum(step.status == StepStatus.SUCCESS for step in self.steps),
            attempts=len(self.attempts),
            worked=self._worked(),
            waited=self._waited(),
            cost=cost_of(LedgerEntry.objects.of_executions([execution.pk])),
            version=version,
            may_operate=execution.unit_id in scope.unit_ids(self.actor, "operate"),
            had_effects=any(is_effect(action) for action in self.actions),
            waiting_requests=[request for request in self.requests if request.is_open],
            letters=self.letters,
            undoing=undoings_of([execution]).get(execution.pk) if execution.is_final else None,
            undone=_parent(execution),
            **more,
        )

    def states(self) -> list[State]:
        """Where it was, is, and (while it lives) will be, from the audit trail."""
        moved = AuditEvent.objects.filter(stream=self.execution.stream, object_id=self.execution.pk).order_by("seq")
        rows = told_once([(event.after, event.at) for event in moved if event.after])[-8:]
        past = [State(_often(pill("execution", after).word, again), "past", at) for after, at, again in rows[:-1]]
        last = rows[-1] if rows else (self.execution.status, self.execution.created_at, False)
        now = pill("execution", last[0])
        states = [*past, State(_often(now.word, last[2]), "current", last[1], now.tone)]
        return (
            states
            if self.execution.is_final or last[0] == ExecutionStatus.DEAD_LETTERED
            else [*states, State("Done", "next")]
        )

    def _node(self, step: Step) -> Node:
        parts = [f"{step.attempt_count} attempts"] if step.attempt_count > 1 else []
        span = took(step.started_at, step.finished_at, self.now) if step.finished_at else None
        if span is not None:
            parts.append(_short(span))
        return Node(
            step.key, step.status, f"?step={step.key}#step", tuple(step.spec.get("needs") or ()), ", ".join(parts)
        )

    def _worked(self) -> timedelta:
        spans = [took(one.started_at or one.claimed_at, one.finished_at, self.now) for one in self.attempts]
        return sum((span for span in spans if span), timedelta())

    def _waited(self) -> timedelta:
        """People's time: between asking and the answer, never counted as work."""
        return covered((request.created_at, request.resolved_at or self.now) for request in self.requests)

    def names(self) -> dict[UUID, str]:
        """What the objects of the story are called."""
        keys = {step.pk: step.key for step in self.steps}
        return {
            **keys,
            **{one.pk: f"Attempt {one.number} of {keys.get(one.step_id, 'a step')}" for one in self.attempts},
            **{action.pk: title(action, self.tools) for action in self.actions},
            **{request.pk: request.title for request in self.requests},
            **{letter.pk: letter.component for letter in self.letters},
        }

    def panel(self, step: Step) -> StepPanel:
        attempts = [one for one in self.attempts if one.step_id == step.pk]
        actions = [action for action in self.actions if action.step_id == step.pk]
        mine = {step.pk, *(action.pk for action in actions)}
        requests = [request for request in self.requests if request.subject_id in mine]
        held = {request.subject_id for request in requests}
        troubled = self._troubled(actions)
        eventful = [action for action in actions if action.pk in held | troubled or action.status not in SMOOTH]
        letter = next((letter for letter in self.letters if letter.step_id == step.pk), None)
        objects = {step.pk, *(row.pk for row in [*attempts, *eventful])} | ({letter.pk} if letter else set())
        told = history(requests, mine=self.signed, streams=[self.execution.stream], names=self.names(), objects=objects)
        return StepPanel(
            step=step,
            attempts=attempts,
            actions=self.action_rows(actions[:SHOWN_ACTIONS]),
            more_actions=max(0, len(actions) - SHOWN_ACTIONS),
            requests=requests,
            letter=letter,
            story=Story(condensed(told.entries), told.truncated),
            smooth=len(actions) - len(eventful),
            took=took(step.started_at, step.finished_at, self.now),
        )

    def _troubled(self, actions: list[Action]) -> set[UUID]:
        """Actions that once failed or went unanswered, whatever became of them later."""
        ids = [action.pk for action in actions]
        wrong = [f"action.{ActionStatus.FAILED}", f"action.{ActionStatus.UNKNOWN}"]
        rows = AuditEvent.objects.filter(stream=self.execution.stream, event__in=wrong, object_id__in=ids)
        return {pk for pk in rows.values_list("object_id", flat=True) if pk}

    def action_rows(
        self, actions: Iterable[Action], undo: Mapping[UUID, str] | None = None, said: Iterable[OutcomeAnswer] = ()
    ) -> list[ActionRow]:
        """`undo` says of every effect how it is undone, or why it cannot be."""
        requests = {request.pk: request for request in self.requests}
        return [
            ActionRow(
                action,
                title(action, self.tools),
                (undo or {}).get(action.pk) or self._undo(action),
                requests.get(action.approval_id) if action.approval_id else None,
                tuple(voice for voice in self.decisions if voice.request_id == action.approval_id),
                tuple(one for one in said if one.action_id == action.pk),
            )
            for action in actions
        ]

    def evidence(self) -> dict[str, Any]:
        """Read only what there can be: edits make revisions, only dead letters are patched, only what was sent is in doubt."""
        prefetch_related_objects(self.requests, "emergencies")
        edits = Prefetch("edits", Edit.objects.order_by("revision").defer("before", "after"))
        prefetch_related_objects([request for request in self.requests if request.revision > 1], edits)
        sent = [action for action in self.actions if action.redeemed_at]
        said = list(OutcomeAnswer.objects.filter(action__in=sent).order_by("at")) if sent else []
        undo = {effect.action.pk: effect.why for effect in plan_of(self.execution).effects}
        patches = StepPatch.objects.filter(step__execution=self.execution).select_related("step").order_by("at", "id")
        return {
            "actions": self.action_rows(self.actions, undo, said),
            "asked": self.asked_rows(),
            "let_through": let_through(self.execution.pk),
            "patches": list(patches) if self.letters else [],
        }

    def asked_rows(self) -> list[AskedRow]:
        """Whom the steps themselves asked: the subject of such a request is the step."""
        steps = {step.pk for step in self.steps}
        return [
            AskedRow(request, tuple(voice for voice in self.decisions if voice.request_id == request.pk))
            for request in self.requests
            if request.subject_id in steps
        ]

    def _undo(self, action: Action) -> str:
        tool = self.tools.get((action.tool, action.tool_version))
        return how_undone(action, tool)


def _parent(execution: Execution) -> Execution | None:
    """What this execution undoes, if that is what it is for."""
    return Execution.objects.filter(pk=execution.parent_id or execution.pk).first() if execution.is_undo else None


def told_once(rows: list[tuple[str, datetime]]) -> list[tuple[str, datetime, bool]]:
    """Back and forth between the same two states, as where a record is read again and again, is told once: the last time,
    and that it was not the first."""
    told: list[tuple[str, datetime, bool]] = []
    for state, at in rows:
        told.append((state, at, False))
        if len(told) >= 4 and [row[0] for row in told[-4:-2]] == [row[0] for row in told[-2:]]:
            told[-4:] = [(state, at, True) for state, at, _ in told[-2:]]
    return told


def _often(word: str, again: bool) -> str:
    return f"{word} again" if again else word


def covered(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How long at least one of these lasted, told in the order they began: what overlaps counts once."""
    whole, reached = timedelta(), datetime.min.replace(tzinfo=UTC)
    for begun, ended in spans:
        whole += max(ended - max(begun, reached), timedelta())
        reached = max(reached, ended)
    return whole


def _short(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
