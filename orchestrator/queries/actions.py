"""Actions: the list with its totals (foreign agents' calls included), and one action whole."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from approvals import snapshots
from approvals.models import ApprovalRequest, BreakGlass, Decision
from approvals.models.request import effect_on_the_world
from approvals.queries import history, signed_by
from approvals.snapshots import Reading
from audit import scope
from audit.actors import Actor
from audit.queries import Keyset, Slice, Story, visible_or_refuse
from budgets.models import LedgerEntry
from orchestrator.gate.snapshot import snapshot_of, title_of, undo_sentence
from orchestrator.gate.undo import how_undone
from orchestrator.models import Action, Execution, OutcomeAnswer, OutcomeVerdict, Tool
from orchestrator.models.action import UNREPORTED
from orchestrator.operations.undo_plan import plan_of
from orchestrator.queries.among import among
from orchestrator.queries.behind import Behind, calls_behind
from orchestrator.queries.cost_groups import Period, spent
from orchestrator.queries.costs import Cost, added, cost_of
from orchestrator.queries.offered import callers, offered
from orchestrator.statuses import ActionStatus

NEWEST_FIRST = Keyset(("-created_at", "-id"))
ADDED_UP_TO = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFilters:
    """What the list is narrowed to."""

    agent: str = ""
    tool: str = ""
    status: str = ""
    verdict: str = ""
    tier: str = ""
    unit: str = ""
    execution: UUID | None = None
    since: datetime | None = None
    q: str = ""
    behind: Behind | None = None

    @property
    def only_calls(self) -> bool:
        """Whether it is narrowed by something only a call has."""
        return bool(self.tool or self.status or self.verdict or self.tier or self.q or self.behind)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over every action of the list, not over the page. More than so many are counted no further: how they ended is not
    known then, and neither is the cost of a list that is narrowed by something only a call has.
    """

    calls: int
    verdicts: dict[str, int]
    statuses: dict[str, int]
    cost: Cost | None
    # Whether what was reported beside these calls, as model calls are, is in the cost.
    with_models: bool

    @property
    def are_whole(self) -> bool:
        return self.calls <= ADDED_UP_TO

    @property
    def count(self) -> str:
        return f"{self.calls:,}" if self.are_whole else f"{ADDED_UP_TO:,}+"

    @property
    def note(self) -> str:
        if self.are_whole:
            return "over every action these filters let through"
        return "so many calls are not added up" if self.cost is None else "of so many calls only the cost is added up"

    @property
    def by_verdict(self) -> list[tuple[str, int]]:
        return [(verdict, self.verdicts[verdict]) for verdict in ("allow", "hold", "deny") if verdict in self.verdicts]

    @property
    def by_status(self) -> list[tuple[str, int]]:
        """In the order an action goes through them."""
        return [(one, self.statuses[one]) for one in [*ActionStatus.values, UNREPORTED] if one in self.statuses]

    @property
    def failed(self) -> int:
        return self.statuses.get(ActionStatus.FAILED, 0)


@dataclass(frozen=True, slots=True)
class ActionRow:
    action: Action
    title: str


@dataclass(frozen=True, slots=True)
class ActionList:
    rows: list[ActionRow]
    slice: Slice
    totals: Totals


def action_list(actor: Actor, filters: ActionFilters, *, after: str = "", before: str = "") -> ActionList:
    found_by: Any = narrowed(Action.objects.visible_to(actor), filters)
    rows = found_by.with_state()
    found = NEWEST_FIRST.slice(rows.defer("context", "result", "record"), after=after, before=before)
    return ActionList(titled(found.rows), found, _totals(actor, filters, rows))


def narrowed(rows: QuerySet[Action], filters: ActionFilters) -> QuerySet[Action]:
    wanted = {
        "agent": filters.agent,
        "tool": filters.tool,
        "verdict": filters.verdict,
        "tier": filters.tier,
        "unit_id": filters.unit,
        "execution_id": filters.execution,
        "created_at__gte": filters.since,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    rows = _in_state(rows, filters.status) if filters.status else rows
    if filters.behind:
        rows = calls_behind(rows, filters.behind)
    if filters.q:
        found = Q(business_key__icontains=filters.q) | Q(idempotency_key=filters.q) | Q(digest__startswith=filters.q)
        rows = rows.filter(found | Q(tool__icontains=filters.q))
    return rows


def _in_state(rows: QuerySet[Action], state: str) -> QuerySet[Action]:
    of: Any = rows
    apart = {ActionStatus.REDEEMED.value: of.under_way, UNREPORTED: of.unreported}
    return apart[state]() if state in apart else rows.filter(status=state)


def titled(actions: Iterable[Action]) -> list[ActionRow]:
    actions = list(actions)
    tools = tools_of(actions)
    return [ActionRow(action, title(action, tools)) for action in actions]


def tools_of(actions: Iterable[Action]) -> dict[tuple[str, str], Tool]:
    """The contracts these actions were judged under; one query."""
    names = {action.tool for action in actions}
    return {(tool.name, tool.version): tool for tool in Tool.objects.filter(name__in=names)} if names else {}


def title(action: Action, tools: dict[tuple[str, str], Tool]) -> str:
    tool = tools.get((action.tool, action.tool_version))
    return title_of(tool, json.loads(action.arguments)) if tool else f"Call {action.tool}"


def _totals(actor: Actor, filters: ActionFilters, rows: Any) -> Totals:
    verdicts: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for verdict, status in rows.order_by().values_list("verdict", "state")[: ADDED_UP_TO + 1]:
        verdicts[verdict] += 1
        statuses[status] += 1
    are_whole, with_models = verdicts.total() <= ADDED_UP_TO, not filters.only_calls
    cost = _spent(actor, filters) if with_models else _spent_on(actor, rows) if are_whole else None
    ended = (dict(verdicts), dict(statuses)) if are_whole else ({}, {})
    return Totals(verdicts.total(), *ended, cost, with_models)


def _spent_on(actor: Actor, rows: QuerySet[Action]) -> Cost:
    """What these calls cost. Lines of an execution's calls are found through it, as all of its lines are."""
    lines = LedgerEntry.objects.visible_to(actor)
    alone, within = rows.order_by().filter(execution_id=None), rows.order_by().exclude(execution_id=None)
    apart = lines.filter(among(alone.values("pk"), "action_id"), execution_id=None)
    theirs = lines.filter(among(within.values("execution_id"), "execution_id"), action_id__in=within.values("pk"))
    return added([cost_of(apart), cost_of(theirs)])


def _spent(actor: Actor, filters: ActionFilters) -> Cost:
    """What these calls cost, and what was reported beside them (model calls)."""
    seen = scope.unit_ids(actor, "view")
    units = seen & {UUID(str(filters.unit))} if filters.unit else seen
    narrowed = {"agent": filters.agent} if filters.agent else {}
    if not filters.execution:
        return spent(units, Period(since=filters.since), **narrowed)
    lines = LedgerEntry.objects.filter(unit_id__in=units, execution_id=filters.execution, **narrowed)
    return cost_of(lines.filter(at__gte=filters.since) if filters.since else lines)


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer."""
    return callers(actor, offered(actor).workflows)


@dataclass(frozen=True, slots=True)
class ActionPage:
    action: Action
    title: str
    tool: Tool | None
    undo: str
    effect: str
    reading: Reading
    snapshot: str
    story: Story
    request: ApprovalRequest | None
    decisions: list[Decision]
    emergencies: list[BreakGlass]
    said: list[OutcomeAnswer]
    execution: Execution | None
    cost: Cost
    undoes: Action | None
    undone_by: Action | None
    may_operate: bool

    @property
    def state(self) -> str:
        return str(self.action.state)  # type: ignore[attr-defined]

    @property
    def needs_answer(self) -> bool:
        return bool(self.action.status == ActionStatus.UNKNOWN)

    @property
    def result_is_from(self) -> str:
        """Whose word the result is: a person's may look like the tool's."""
        if self.action.status == ActionStatus.ANSWERED:
            return "What a person gave as the result"
        if any(one.verdict == OutcomeVerdict.HAPPENED for one in self.said):
            return "What a person found out to be the result"
        return "What the tool answered"

    @property
    def version(self) -> str:
        return f"{self.state}.{len(self.story.entries)}"


def action_page(actor: Actor, action_id: UUID) -> ActionPage:
    """Everything the page of one action shows. Raises NotVisible."""
    action: Action = visible_or_refuse(Action.objects.visible_to(actor).with_state(), action_id, "action")
    tools = tools_of([action])
    tool = tools.get((action.tool, action.tool_version))
    requests = list(ApprovalRequest.objects.filter(subject_id=action.pk).order_by("created_at"))
    decisions = list(Decision.objects.filter(request__in=requests).select_related("request").order_by("at"))
    signed = signed_by(actor, requests, decisions)
    name, snapshot = title(action, tools), snapshot_of(action)
    planned = _planned(actor, action)
    return ActionPage(
        action=action,
        title=name,
        tool=tool,
        undo=planned or how_undone(action, tool),
        effect=effect_on_the_world(action.effect, planned or (undo_sentence(tool) if tool else "")),
        reading=snapshots.read(snapshot, source=action.tool),
        snapshot=snapshot,
        story=history(requests, mine=signed, streams=[action.stream], names={action.pk: name}, objects={action.pk}),
        request=requests[-1] if requests else None,
        decisions=[voice for voice in decisions if _told(voice, requests, signed)],
        emergencies=list(BreakGlass.objects.filter(request__in=requests).order_by("broken_at")) if decisions else [],
        said=list(action.answers.order_by("at")),
        execution=_execution(actor, action),
        cost=cost_of(LedgerEntry.objects.filter(action_id=action.pk)),
        undoes=Action.objects.filter(pk=action.undoes_id).first() if action.undoes_id else None,
        undone_by=Action.objects.filter(undoes_id=action.pk).order_by("-created_at").first(),
        may_operate=action.unit_id in scope.unit_ids(actor, "operate"),
    )


def _planned(actor: Actor, action: Action) -> str:
    """How it is undone, or why it cannot be, as the undo of its execution would answer; "" where it is no effect of one."""
    execution = _execution(actor, action)
    effects = plan_of(execution).effects if execution else []
    return next((effect.why for effect in effects if effect.action.pk == action.pk), "")


def _told(voice: Decision, requests: list[ApprovalRequest], signed: set[UUID]) -> bool:
    """Who signed an open request is not told to whoever may still sign it."""
    request = next(one for one in requests if one.pk == voice.request_id)
    return not request.is_open or request.pk in signed


def _execution(actor: Actor, action: Action) -> Execution | None:
    if action.execution_id is None:
        return None
    rows: Any = Execution.objects.visible_to(actor)
    return rows.filter(pk=action.execution_id).first()  # type: ignore[no-any-return]
