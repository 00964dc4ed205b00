"""The queue: which requests a person sees, in which order, and what each row is to them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from approvals.models import ApprovalRequest, Decision, Verdict
from audit import scope
from audit.actors import Actor
from audit.queries import Keyset, Slice, counted

DUE_FIRST = Keyset(("decide_by", "-required", "id"))
NEWEST_FIRST = Keyset(("-created_at", "-id"))
FOR_ME, WAITING, ANY = "me", "pending", "any"


def waiting_for(actor: Actor) -> QuerySet[ApprovalRequest]:
    """Requests this person could sign now: theirs to review, not their own, not signed by them."""
    return (
        ApprovalRequest.objects.reviewable_by(actor)
        .pending()
        .exclude(requester=actor.key)
        .exclude(excluded__contains=[actor.key])
        .exclude(pk__in=Decision.objects.filter(person_id=actor.user_id).values("request_id"))
    )


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
    due_before: datetime | None = None
    q: str = ""

    @property
    def by_due_time(self) -> bool:
        return self.state in {FOR_ME, WAITING}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A request, how many have signed, and what it is to the reader."""

    request: ApprovalRequest
    given: int
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
    return QueuePage(rows_of(found.rows, actor), found, counted(rows), newest(actor, filters))


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


def rows_of(requests: Iterable[ApprovalRequest], actor: Actor) -> list[QueueRow]:
    requests = list(requests)
    voices = Decision.objects.filter(request__in=[request.pk for request in requests])
    yes: Counter[UUID] = Counter()
    mine: set[UUID] = set()
    for voice in voices.values_list("request_id", "verdict", "person_id"):
        yes[voice[0]] += voice[1] == Verdict.APPROVE
        if voice[2] == actor.user_id:
            mine.add(voice[0])
    reviewed = scope.unit_ids(actor, "review")
    return [QueueRow(row, yes[row.pk], _yours(row, actor, reviewed, mine)) for row in requests]


def _yours(row: ApprovalRequest, actor: Actor, reviewed: frozenset[UUID], mine: set[UUID]) -> str:
    if row.pk in mine:
        return "you signed"
    if actor.key == row.requester:
        return "you asked"
    if actor.key in row.excluded:
        return "your agent"
    if row.is_open and row.unit_id in reviewed:
        return "can decide"
    return ""


def choices(actor: Actor) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: units and actions that the reader's requests are about."""
    rows = ApprovalRequest.objects.visible_to(actor)
    units = rows.order_by("unit_title").values_list("unit_id", "unit_title").distinct()[:200]
    tools = rows.order_by("tool").values_list("tool", flat=True).distinct()[:200]
    return {"unit": [(str(pk), title) for pk, title in units], "action": [(tool, tool) for tool in tools]}
