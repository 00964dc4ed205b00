"""The queue: which requests a person sees, in which order, and what each row is to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Q, QuerySet

from approvals.attention import Attention, attention_of
from approvals.bulk_rules import likeness
from approvals.flood import Flood, fold
from approvals.models import Absence, ApprovalRequest, Assignment, Claim, Decision, Escalation
from approvals.standing import review_units
from audit import scope
from audit.actors import Actor
from audit.queries import Keyset, Slice, counted, visible_or_refuse

DUE_FIRST = Keyset(("decide_by", "-required", "id"))
NEWEST_FIRST = Keyset(("-created_at", "-id"))
FOR_ME, WAITING, ANY = "me", "pending", "any"
HELD_BY_ME, HELD_BY_NOBODY = "me", "nobody"
CAN_DECIDE = "can decide"
# What only the review page shows: large, and left in the table when rows are listed.
NOT_LISTED = ("snapshot", "evidence", "agent_says")
# Distinct values by jumping from one to the next through an index, not by reading every request there ever was.
NEWEST = """
SELECT found.id FROM unnest(%(units)s::uuid[]) AS unit(id) CROSS JOIN LATERAL (
  SELECT id FROM approvals_approvalrequest WHERE unit_id = unit.id ORDER BY created_at DESC, id DESC LIMIT 1
) AS found ORDER BY found.id DESC LIMIT 1
"""
CHOICES = """
WITH RECURSIVE tools AS (
  (SELECT tool FROM approvals_approvalrequest WHERE unit_id = ANY(%(units)s) ORDER BY tool LIMIT 1)
  UNION ALL
  SELECT (SELECT tool FROM approvals_approvalrequest
          WHERE unit_id = ANY(%(units)s) AND tool > last.tool ORDER BY tool LIMIT 1)
  FROM tools AS last WHERE last.tool IS NOT NULL
)
(SELECT 'unit', id::text, title FROM budgets_businessunit WHERE id = ANY(%(units)s) ORDER BY title LIMIT 200)
UNION ALL (SELECT 'action', tool, tool FROM tools WHERE tool IS NOT NULL LIMIT 200)
"""


def waiting_for(actor: Actor) -> QuerySet[ApprovalRequest]:
    """Requests this person could sign now: theirs to review, not their own, not signed by them.

    What is not theirs is taken away by id, each kind found by an index of its own, so that counting reads no row.
    """
    own = ApprovalRequest.objects.pending().filter(Q(requester=actor.key) | Q(excluded__contains=[actor.key]))
    voices = Decision.objects.filter(Q(person_id=actor.user_id) | Q(for_person_id=actor.user_id))
    rows = ApprovalRequest.objects.pending().filter(unit_id__in=review_units(actor))
    return rows.exclude(pk__in=own.values("pk")).exclude(pk__in=voices.values("request_id"))


def effect_of(request: ApprovalRequest) -> str:
    """What it does to the world: a write that nothing can undo is as final as an irreversible one."""
    return "irreversible" if request.reversible.startswith("Cannot be undone") else request.effect


# --- The queue -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilters:
    """What the queue is narrowed to."""

    state: str = WAITING
    tier: str = ""
    unit: str = ""
    action: str = ""
    agent: str = ""
    held: str = ""
    due_before: datetime | None = None
    q: str = ""

    @property
    def by_due_time(self) -> bool:
        return self.state in {FOR_ME, WAITING}

    @property
    def folds(self) -> bool:
        """Whoever asks for one agent, a text or their own has narrowed the list themselves: nothing is folded there."""
        return self.by_due_time and not self.agent and not self.q and self.held != HELD_BY_ME


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A request, how many have signed, and what it is to the reader."""

    request: ApprovalRequest
    yours: str
    attention: Attention

    @property
    def given(self) -> int:
        return self.attention.given

    @property
    def effect(self) -> str:
        return effect_of(self.request)

    @property
    def alike(self) -> str:
        """Rows with the same mark may be approved together; empty: not this one."""
        same = likeness(self.request) if self.yours == CAN_DECIDE and not self.attention.others else ""
        return sha256(same.encode()).hexdigest()[:12] if same else ""

    @property
    def may_claim(self) -> bool:
        """Is a signature open that nobody holds, and could the reader give it?"""
        left = self.request.required - self.given - len(self.attention.others)
        return self.yours == CAN_DECIDE and self.attention.mine is None and left > 0


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of rows; `flood` says what is folded because one agent has too much of it."""

    rows: list[QueueRow]
    slice: Slice
    total: str
    newest: str
    flood: Flood | None


def queue_page(actor: Actor, filters: QueueFilters, *, after: str = "", before: str = "") -> QueuePage:
    rows = queue(actor, filters)
    order = DUE_FIRST if filters.by_due_time else NEWEST_FIRST
    flood = fold(rows) if filters.folds else None
    shown = flood.shown(rows) if flood else rows
    found = order.slice(shown.defer(*NOT_LISTED), after=after, before=before)
    return QueuePage(rows_of(found.rows, actor), found, _total(rows, flood, found), newest(actor), flood)


def _total(rows: QuerySet[ApprovalRequest], flood: Flood | None, found: Slice) -> str:
    """How many there are in all; where one page holds them, they are on it."""
    if flood is not None:
        return f"{flood.total:,}"
    return counted(rows) if found.newer or found.older else str(len(found.rows))


def queue(actor: Actor, filters: QueueFilters) -> QuerySet[ApprovalRequest]:
    rows = waiting_for(actor) if filters.state == FOR_ME else ApprovalRequest.objects.visible_to(actor)
    wanted = {
        "status": "" if filters.state in {FOR_ME, ANY} else filters.state,
        "tier": filters.tier,
        "unit_id": filters.unit,
        "tool": filters.action,
        "agent": filters.agent,
        "decide_by__lt": filters.due_before,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.held:
        rows = rows.filter(_held(actor, filters.held))
    if filters.q:
        rows = rows.filter(Q(title__icontains=filters.q) | Q(agent=filters.q) | Q(digest__startswith=filters.q))
    return rows


def _held(actor: Actor, by: str) -> Q:
    """Held by the reader, given to them to look at, or escalated to them; or held by nobody."""
    running = Claim.objects.running()
    if by == HELD_BY_NOBODY:
        return ~Q(pk__in=running.values("request_id"))
    away = Absence.objects.running().filter(stand_in_id=actor.user_id).values("person_id")
    asked = Assignment.objects.filter(Q(person_id=actor.user_id) | Q(person_id__in=away))
    groups = Group.objects.filter(user=actor.user_id).values("pk")
    escalated = Escalation.objects.filter(Q(person_id=actor.user_id) | Q(group_id__in=groups))
    mine = running.filter(person_id=actor.user_id)
    return Q(pk__in=mine.values("request_id").union(asked.values("request_id"), escalated.values("request_id")))


def newest(actor: Actor) -> str:
    """The id of the youngest request in the reader's units: what arrives later has a greater one."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, {"units": list(scope.unit_ids(actor, "view"))})
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def arrived_since(actor: Actor, filters: QueueFilters, newest: UUID | None) -> int:
    """How many requests of this list are younger than the youngest that a page knew of."""
    rows = queue(actor, filters)
    return (rows.filter(id__gt=newest) if newest else rows).order_by()[:100].count()


def one_row(actor: Actor, request_id: UUID) -> QueueRow:
    """One row again, after something was done to it."""
    return rows_of([visible_or_refuse(ApprovalRequest.objects.visible_to(actor), request_id, "request")], actor)[0]


def rows_of(requests: Iterable[ApprovalRequest], actor: Actor) -> list[QueueRow]:
    requests = list(requests)
    reviewed = review_units(actor)
    told = attention_of(requests, actor)
    return [QueueRow(row, _yours(row, actor, reviewed, told[row.pk]), told[row.pk]) for row in requests]


def _yours(row: ApprovalRequest, actor: Actor, reviewed: frozenset[UUID], told: Attention) -> str:
    if told.signed:
        return "you signed"
    if actor.key == row.requester:
        return "you asked"
    if actor.key in row.excluded:
        return "your agent"
    if row.is_open and row.unit_id in reviewed:
        return CAN_DECIDE
    return ""


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: the reader's units, and the actions that requests in them are about."""
    units = scope.unit_ids(actor, "view")
    found: dict[str, list[tuple[str, str]]] = {"unit": [], "action": []}
    with connection.cursor() as cursor:
        cursor.execute(CHOICES, {"units": list(units)})
        for name, value, label in cursor.fetchall():
            found[name].append((value, label))
    return found
