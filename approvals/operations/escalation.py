"""What is due when nobody decides: reminders, levels, the mark "overdue". By the database's clock, each once per request.

Nothing here decides or ends a request, and no step is taken while a stop keeps a request's clock still: the time it
stood still is counted out. The engine's sweep calls `escalate_due`; any number of sweeps may do so at once, and after
an outage of any length the next one takes every step that has become due, with the time it was due beside the time it
was taken.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from approvals.models import ApprovalRequest, Escalation, EscalationLevel, Kind, NoticeKind, OnTimeout
from approvals.models.escalation import REMINDERS
from approvals.notifying import notices
from approvals.operations import clocks
from approvals.rules.signers import group_title
from audit import failpoints, lifecycle, rounds
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from budgets.units import lineage

ASKED_NEXT = "asked-next"
# Nothing is left to do for this request.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
TOLD = {Kind.REMINDER: NoticeKind.REMINDER, Kind.LEVEL: NoticeKind.ESCALATED, Kind.OVERDUE: NoticeKind.OVERDUE}
EVENTS = {Kind.REMINDER: "reminded", Kind.LEVEL: "escalated", Kind.OVERDUE: "overdue"}


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a request's ladder. `key` names it for good: a new version of a level is the same step."""

    kind: str
    key: str
    percent: int
    level: EscalationLevel | None = None
    # The reviewer group that the request's policy names for when time is out.
    reviewers: str = ""

    def due_at(self, request: ApprovalRequest) -> datetime:
        return request.after(self.percent)

    @property
    def asks(self) -> str:
        if self.reviewers:
            return group_title(self.reviewers)
        if self.level is None:
            return ""
        if self.level.group is not None:
            return str(self.level.group.name)
        user = self.level.person
        return (user.get_full_name() or user.get_username()) if user else ""


class Ladders:
    """The levels in force, read once: a unit's own, or its nearest parent's, or those for every unit."""

    def __init__(self) -> None:
        levels = EscalationLevel.objects.filter(status=DefinitionStatus.ACTIVE).select_related("group", "person")
        self._levels: dict[UUID | None, list[EscalationLevel]] = {}
        for level in levels:
            self._levels.setdefault(level.unit_id, []).append(level)
        self._of: dict[UUID, list[Rung]] = {}

    def of(self, request: ApprovalRequest) -> list[Rung]:
        """Every rung of this request, the earliest first. What ends with its time is never overdue.

        Where its policy escalates, the group it names is asked next when time is out, after the mark "overdue".
        """
        if request.unit_id not in self._of:
            self._of[request.unit_id] = self._climbed(request.unit_id)
        ends = request.on_timeout == OnTimeout.REJECT
        rungs = [rung for rung in self._of[request.unit_id] if not (ends and rung.kind == Kind.OVERDUE)]
        named = request.on_timeout == OnTimeout.ESCALATE
        return [*rungs, Rung(Kind.LEVEL, ASKED_NEXT, 100, reviewers=request.escalate_to)] if named else rungs

    def _climbed(self, unit_id: UUID) -> list[Rung]:
        places: list[UUID | None] = [*lineage(unit_id), None] if self._levels else []
        levels = next((self._levels[place] for place in places if place in self._levels), [])
        rungs = [Rung(Kind.REMINDER, f"reminder-{percent}", percent) for percent in REMINDERS]
        rungs += [Rung(Kind.LEVEL, f"level-{level.name}", level.after_percent, level) for level in levels]
        return sorted([*rungs, Rung(Kind.OVERDUE, "overdue", 100)], key=lambda rung: (rung.percent, rung.key))


def escalate_due(*, by: Actor, limit: int = 500) -> int:
    """Take every step that is due, each request in its own transaction. Returns how many steps were taken."""
    keys = rounds.due(_noticed_next, limit)
    ladders = Ladders() if keys else None
    return rounds.each(keys, lambda key: _escalate(key, ladders, by)) if ladders else 0


def _noticed_next() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.undecided().running().filter(_notice_is_due()).order_by("next_notice_at")


def _notice_is_due() -> Q:
    """Never looked at yet, or its next step's time has come."""
    return Q(next_notice_at__isnull=True) | Q(next_notice_at__lte=Now())


@transaction.atomic
def _escalate(request_id: UUID, ladders: Ladders, by: Actor) -> int:
    failpoints.hit("escalate.due")
    # A stop that was engaged a moment ago may not have reached this row yet.
    clocks.freeze([request_id])
    rows = ApprovalRequest.objects.undecided().running().select_for_update(skip_locked=True)
    request = rows.filter(_notice_is_due(), pk=request_id).first()
    if request is None:
        return 0  # decided or stopped meanwhile, or another sweep has it
    now, rungs = lifecycle.database_now(), ladders.of(request)
    taken = set(request.escalations.values_list("step", flat=True))
    due = [rung for rung in rungs if rung.key not in taken and rung.due_at(request) <= now]
    for rung in due:
        _take(request, rung, now, by)
    # A moved deadline moves its steps: when a step's time has not come after all, it is only planned anew.
    later = [at for rung in rungs if (at := rung.due_at(request)) > now]
    ApprovalRequest.objects.filter(pk=request.pk).update(next_notice_at=min(later, default=NEVER))
    return len(due)


def _take(request: ApprovalRequest, rung: Rung, now: datetime, by: Actor) -> None:
    due_at, level = rung.due_at(request), rung.level
    Escalation.objects.create(
        request=request, kind=rung.kind, step=rung.key, after_percent=rung.percent, due_at=due_at, at=now,
        group_id=level.group_id if level else None, person_id=level.person_id if level else None,
        reviewers=rung.reviewers, asked_name=rung.asks,
    )  # fmt: skip
    lifecycle.note(
        request, f"approval_request.{EVENTS[Kind(rung.kind)]}", by=by,
        data={"step": rung.key, "percent": rung.percent, "due_at": due_at.isoformat(), "asked": rung.asks or "reviewers"},
    )  # fmt: skip
    asked = notices.Asked(reviewers=rung.reviewers) if rung.reviewers else None
    if level:
        asked = notices.Asked(person_id=level.person_id, group_id=level.group_id)
    notices.tell_of_request(TOLD[Kind(rung.kind)], request, by=by, asked=asked)


@dataclass(frozen=True, slots=True)
class Planned:
    """A rung as the review page shows it: when it is or was due, when it was taken, who is asked."""

    rung: Rung
    due_at: datetime
    taken: Escalation | None

    @property
    def says(self) -> str:
        return f"{Kind(self.rung.kind).label}, {self.rung.percent} % of the time"

    @property
    def asks(self) -> str:
        return (self.taken.asked_name if self.taken else self.rung.asks) or "the reviewers of the unit"


def plan(request: ApprovalRequest, taken: Iterable[Escalation]) -> list[Planned]:
    """Every step of an open request, those taken and those to come; of a decided one only what was taken."""
    known = {row.step: row for row in taken}
    rungs = Ladders().of(request) if request.is_open else []
    keys = {rung.key for rung in rungs}
    gone = [Rung(row.kind, row.step, row.after_percent) for row in known.values() if row.step not in keys]
    steps = [
        Planned(rung, known[rung.key].due_at if rung.key in known else rung.due_at(request), known.get(rung.key))
        for rung in [*rungs, *gone]
    ]
    return sorted(steps, key=lambda step: step.due_at)
