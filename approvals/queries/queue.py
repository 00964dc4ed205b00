"""The queue: which requests a person sees, in which order, and what each row is to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from hashlib import sha256
from operator import or_
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import F, Q, QuerySet

from approvals import quorum
from approvals.models import Absence, ApprovalRequest, Assignment, Claim, Decision, Escalation
from approvals.models.request import ApprovalRequestQuerySet, effect_on_the_world
from approvals.operations import second_looks
from approvals.operations.bulk_rules import likeness
from approvals.queries.attention import Attention, attention_of
from approvals.queries.flood import Flood, fold
from approvals.rules import groups
from approvals.rules.groups import Groups
from approvals.rules.signers import named_in, seats_of
from approvals.rules.standing import review_units, signs_for
from audit import people, scope
from audit.actors import Actor
from audit.queries import Keyset, Slice, counted, visible_or_refuse

DUE_FIRST = Keyset(("decide_by", "-required", "id"))
NEWEST_FIRST = Keyset(("-created_at", "-id"))
FOR_ME, WAITING, ANY = "me", "pending", "any"
HELD_BY_ME, HELD_BY_NOBODY = "me", "nobody"
CAN_DECIDE = "can decide"
CAN_REJECT = "can reject; stopped"
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


def waiting_for(actor: Actor) -> ApprovalRequestQuerySet:
    """Requests this person could sign now: theirs to review, with no duty of theirs in it, not signed by them or for them
    under any account, and still open to a group of theirs or of somebody they sign for.

    What is not theirs is taken away by id, each kind found by an index of its own, so that counting reads no row. It is
    taken away at once: of every further "not in" the planner believes that it halves what is left.
    """
    waiting = ApprovalRequest.objects.pending()
    own = waiting.filter(reduce(or_, (Q(requester=key) | Q(excluded__contains=[key]) for key in people.keys_of(actor))))
    accounts = people.accounts_behind(actor)
    signed = Decision.objects.filter(Q(person_id__in=accounts) | Q(for_person_id__in=accounts))
    signed = signed.filter(revision=F("request__revision"))
    theirs = groups.of_people(signs_for(actor))
    closed = waiting.filter(open_to__isnull=False).exclude(open_to__overlap=theirs)
    not_theirs = own.values("pk").union(signed.values("request_id"), closed.values("pk"), all=True)
    return waiting.filter(unit_id__in=review_units(actor)).exclude(pk__in=not_theirs)


def next_waiting(actor: Actor, *, but: UUID, among: QuerySet[ApprovalRequest] | None = None) -> ApprovalRequest | None:
    """The next one to decide on, where the reader came from a part of the queue among its rows."""
    rows = waiting_for(actor) if among is None else waiting_for(actor).filter(pk__in=among.order_by().values("pk"))
    return rows.exclude(pk=but).due_first().first()


def effect_of(request: ApprovalRequest) -> str:
    return effect_on_the_world(request.effect, request.reversible)


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
    """A request, who is still needed, what it is to the reader, and whether their signature would fill a seat.

    `reviewed`: it is in a unit whose requests the reader acts on, so that it can be selected for acting in bulk.
    """

    request: ApprovalRequest
    yours: str
    attention: Attention
    missing: str = ""
    helps: bool = True
    reviewed: bool = True

    @property
    def given(self) -> int:
        return self.attention.given

    @property
    def effect(self) -> str:
        return effect_of(self.request)

    @property
    def alike(self) -> str:
        """Rows with the same mark may be approved together; empty: not this one."""
        signs = self.yours == CAN_DECIDE and self.helps and not self.attention.others
        same = likeness(self.request) if signs else ""
        return sha256(same.encode()).hexdigest()[:12] if same else ""

    @property
    def may_claim(self) -> bool:
        """Is a signature open that nobody holds, and could the reader give it?"""
        left = self.request.required - self.given - len(self.attention.others)
        decides = self.yours in {CAN_DECIDE, CAN_REJECT}
        return decides and self.helps and self.attention.mine is None and left > 0


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
    found = order.slice(shown.listed(), after=after, before=before)
    return QueuePage(rows_of(found.rows, actor), found, _total(rows, flood, found), newest(actor), flood)


def _total(rows: QuerySet[ApprovalRequest], flood: Flood | None, found: Slice) -> str:
    """How many there are in all; where one page holds them, they are on it."""
    if flood is not None:
        return f"{flood.total:,}"
    return counted(rows) if found.newer or found.older else str(len(found.rows))


def queue(actor: Actor, filters: QueueFilters) -> ApprovalRequestQuerySet:
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
    if not filters.by_due_time:
        # What this person shall judge anew is not listed among what was decided.
        rows = rows.exclude(pk__in=second_looks.waiting_for(actor).values("request_id"))
    if filters.held:
        rows = rows.filter(_held(actor, filters.held))
    if filters.q:
        rows = rows.filter(Q(title__icontains=filters.q) | Q(agent=filters.q) | Q(digest__startswith=filters.q))
    return rows


def _held(actor: Actor, by: str) -> Q:
    """Held by the reader, or asked of them or of somebody they stand in for, assigned or escalated; or held by nobody."""
    running = Claim.objects.running()
    if by == HELD_BY_NOBODY:
        return ~Q(pk__in=running.values("request_id"))
    in_force = Absence.objects.in_force().values("pk")
    away = Absence.objects.filter(pk__in=in_force, stand_in_id=actor.user_id).values("person_id")
    by_name = Q(person_id=actor.user_id) | Q(person_id__in=away)
    asked = Assignment.objects.filter(by_name)
    named = groups.names_of(actor.user_id)
    shared = Group.objects.filter(user=actor.user_id).values("pk")
    escalated = Escalation.objects.filter(by_name | Q(group_id__in=shared) | Q(reviewers__in=named))
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
    """Signatures are counted as given here; whether each still counts is asked on the review page and at dispatch."""
    requests = list(requests)
    reviewed = review_units(actor)
    told = attention_of(requests, actor)
    known = groups.in_force({name for row in requests for name in named_in(row)})
    theirs = frozenset[str]().union(*(known.of(pk) for pk in signs_for(actor))) if known.members else frozenset()
    return [
        QueueRow(
            row,
            _yours(row, actor, reviewed, told[row.pk]),
            told[row.pk],
            _missing(row, told[row.pk], known),
            row.open_to is None or not theirs.isdisjoint(row.open_to),
            row.unit_id in reviewed,
        )
        for row in requests
    ]


def _missing(row: ApprovalRequest, told: Attention, known: Groups) -> str:
    """In words, where a count alone does not say it."""
    if not row.needs or not row.is_open:
        return ""
    signers = {pk: known.of(pk) for pk in told.signers}
    return quorum.words(seats_of(row), signers, known.titles)


def _yours(row: ApprovalRequest, actor: Actor, reviewed: frozenset[UUID], told: Attention) -> str:
    keys = people.keys_of(actor)
    if told.signed:
        return "you signed"
    if row.requester in keys:
        return "you asked"
    if duty := next((key for key in keys if key in row.excluded), ""):
        return f"you {row.duties[duty]}" if duty in row.duties else "your agent"
    if row.is_pending and row.unit_id in reviewed:
        return CAN_REJECT if row.is_frozen else CAN_DECIDE
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
