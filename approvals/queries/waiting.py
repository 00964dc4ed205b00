"""The queue: what waits, for whom, and what it is to the reader."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Exists, F, Q, QuerySet

from approvals import groups, quorum
from approvals.groups import Groups
from approvals.models import ApprovalRequest, Decision, Verdict
from approvals.permissions import keys_of
from approvals.queries.blind import own_voices
from approvals.signers import named_in, seats_of
from audit import people, scope
from audit.actors import Actor
from audit.queries import Keyset, Slice, counted

DUE_FIRST = Keyset(("decide_by", "-required", "id"))
NEWEST_FIRST = Keyset(("-created_at", "-id"))
FOR_ME, WAITING, ANY = "me", "pending", "any"


def waiting_for(actor: Actor) -> QuerySet[ApprovalRequest]:
    """Requests this person could sign now: theirs to review, with no duty of theirs in it, not signed by them under any
    account, and still open to a group of theirs.
    """
    keys = keys_of(actor)
    return (
        ApprovalRequest.objects.reviewable_by(actor)
        .pending()
        .exclude(requester__in=keys)
        .exclude(excluded__has_any_keys=keys)
        .exclude(Exists(own_voices(actor)))
        .filter(Q(open_to=None) | Q(open_to__overlap=groups.of_person(actor.user_id)))
    )


def effect_of(request: ApprovalRequest) -> str:
    """What it does to the world: a write that nothing can undo is as final as an irreversible one."""
    return "irreversible" if request.reversible.startswith("Cannot be undone") else request.effect


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilters:
    """What the queue is narrowed to."""

    state: str = WAITING
    tier: str = ""
    unit: str = ""
    action: str = ""
    due_before: datetime | None = None
    q: str = ""

    @property
    def by_due_time(self) -> bool:
        return self.state in {FOR_ME, WAITING}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A request, how many have signed, who is still needed, and what it is to the reader."""

    request: ApprovalRequest
    given: int
    missing: str
    yours: str

    @property
    def effect(self) -> str:
        return effect_of(self.request)


@dataclass(frozen=True, slots=True)
class QueuePage:
    rows: list[QueueRow]
    slice: Slice
    total: str
    version: str
    next_due: datetime | None = None


def queue_page(actor: Actor, filters: QueueFilters, *, after: str = "", before: str = "") -> QueuePage:
    rows = queue(actor, filters)
    order = DUE_FIRST if filters.by_due_time else NEWEST_FIRST
    found = order.slice(rows, after=after, before=before)
    return QueuePage(rows_for(found.rows, actor), found, counted(rows), newest(actor, filters))


def queue(actor: Actor, filters: QueueFilters) -> QuerySet[ApprovalRequest]:
    rows = waiting_for(actor) if filters.state == FOR_ME else ApprovalRequest.objects.visible_to(actor)
    wanted = {
        "status": "" if filters.state in {FOR_ME, ANY} else filters.state,
        "tier": filters.tier,
        "unit_id": filters.unit,
        "tool": filters.action,
        "decide_by__lt": filters.due_before,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.q:
        rows = rows.filter(Q(title__icontains=filters.q) | Q(agent=filters.q) | Q(digest__startswith=filters.q))
    return rows


def newest(actor: Actor, filters: QueueFilters) -> str:
    """The id of the youngest request of this list; ids grow with time, so it is also the list's version."""
    return str(queue(actor, filters).order_by("-id").values_list("id", flat=True).first() or "")


def arrived_since(actor: Actor, filters: QueueFilters, version: UUID | None) -> int:
    """How many requests of this list are younger than the version a page holds."""
    rows = queue(actor, filters)
    return (rows.filter(id__gt=version) if version else rows).order_by()[:100].count()


def rows_for(requests: Iterable[ApprovalRequest], actor: Actor) -> list[QueueRow]:
    """Signatures are counted as given here; whether each still counts is asked on the review page and at dispatch."""
    requests = list(requests)
    found = groups.in_force({name for row in requests for name in named_in(row)})
    signers: dict[UUID, dict[int, frozenset[str]]] = {row.pk: {} for row in requests}
    mine: set[UUID] = set()
    reader = people.accounts_behind(actor)
    voices = Decision.objects.filter(request__in=list(signers), revision=F("request__revision")).order_by("at")
    for request_id, verdict, person_id in voices.values_list("request_id", "verdict", "person_id"):
        if verdict == Verdict.APPROVE:
            signers[request_id][person_id] = found.of(person_id)
        if person_id in reader:
            mine.add(request_id)
    reviewed = scope.unit_ids(actor, "review")
    return [
        QueueRow(row, len(signers[row.pk]), _missing(row, signers[row.pk], found), _yours(row, actor, reviewed, mine))
        for row in requests
    ]


def _missing(row: ApprovalRequest, signers: dict[int, frozenset[str]], found: Groups) -> str:
    """In words, where a count alone does not say it."""
    return quorum.words(seats_of(row), signers, found.titles) if row.needs and row.is_open else ""


def _yours(row: ApprovalRequest, actor: Actor, reviewed: frozenset[UUID], mine: set[UUID]) -> str:
    keys = keys_of(actor)
    if row.pk in mine:
        return "you signed"
    if row.requester in keys:
        return "you asked"
    if duty := next((key for key in keys if key in row.excluded), ""):
        return f"you {row.duties[duty]}" if duty in row.duties else "your agent"
    if row.is_pending and row.unit_id in reviewed:
        return "can decide"
    return ""


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: units and actions that the reader's requests are about."""
    rows = ApprovalRequest.objects.visible_to(actor)
    units = rows.order_by("unit_title").values_list("unit_id", "unit_title").distinct()[:200]
    tools = rows.order_by("tool").values_list("tool", flat=True).distinct()[:200]
    return {"unit": [(str(pk), title) for pk, title in units], "action": [(tool, tool) for tool in tools]}


def next_waiting(actor: Actor, *, but: UUID) -> ApprovalRequest | None:
    return waiting_for(actor).exclude(pk=but).due_first().first()  # type: ignore[attr-defined,no-any-return]


def query_of(filters: Mapping[str, str]) -> str:
    """The filters as a query string, empty ones left out."""
    return urlencode({name: value for name, value in filters.items() if value})
