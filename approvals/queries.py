"""Whole pages of approvals as frozen dataclasses, every row already fetched."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q

from approvals import snapshots
from approvals.attention import Attention, attention_of
from approvals.emergencies import may_break, may_look
from approvals.escalation import Planned, plan
from approvals.models import ApprovalRequest, BreakGlass, Decision, OnTimeout, Stop, Verdict
from approvals.permissions import Answer, may_decide
from approvals.queue import QueueRow, effect_of, rows_of, waiting_for
from approvals.snapshots import Change, Evidence, Reading
from approvals.standing import right_of
from approvals.statuses import RequestStatus
from approvals.stopped import covering_request
from audit.actors import Actor
from audit.queries import Story, counted, story, visible_or_refuse

# --- The review page -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Consequence:
    """What happens on one of the three ways this can end, with the moment it happens at."""

    act: str
    says: str
    at: datetime | None = None
    then: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    request: ApprovalRequest
    reading: Reading
    evidence: list[Evidence]
    consequences: list[Consequence]
    decisions: list[Decision]
    given: int
    mine: Decision | None
    may: Answer
    place: int
    waiting: int
    previous: ApprovalRequest | None
    next: ApprovalRequest | None
    earlier: list[ApprovalRequest]
    history: Story
    attention: Attention
    plan: list[Planned]
    signs_for: str
    stops: list[Stop]
    glass: BreakGlass | None
    may_break: bool
    may_look: bool

    @property
    def effect(self) -> str:
        return effect_of(self.request)

    @property
    def may_claim(self) -> bool:
        """Could the reader take it in hand: they may sign, and hold no claim yet?"""
        return self.may.allowed and self.attention.mine is None

    @property
    def stoppable_tool(self) -> str:
        """The tool that would be called; a request about a step of a workflow is about none."""
        return self.request.tool if self.request.agent else ""

    @property
    def raw(self) -> bytes:
        """The very bytes the digest was taken over."""
        return bytes(self.request.snapshot.encode())

    @property
    def shows_decisions(self) -> bool:
        """The second reviewer judges alone: who signed and why is shown once this person has signed, or all is over."""
        return not self.request.is_open or self.mine is not None

    @property
    def version(self) -> str:
        frozen = ".frozen" if self.request.is_frozen else ""
        glass = f".{self.glass.status}" if self.glass else ""
        said = f"{self.request.status}.{self.request.revision}.{self.given}{frozen}{glass}"
        return f"{said}.{self.attention.version}"


def review(actor: Actor, request_id: UUID, *, now: datetime) -> Review:
    """Everything the review page shows. Raises NotVisible."""
    request: ApprovalRequest = visible_or_refuse(ApprovalRequest.objects.visible_to(actor), request_id, "request")
    reading = snapshots.read(request.snapshot, source=request.tool)
    decisions = list(request.decisions.order_by("at"))
    given = sum(voice.verdict == Verdict.APPROVE and voice.revision == request.revision for voice in decisions)
    mine = next((voice for voice in decisions if voice.person_id == actor.user_id), None)
    glass = BreakGlass.objects.filter(request=request).order_by("-broken_at").first() if request.required > 1 else None
    return Review(
        request=request,
        reading=reading,
        evidence=[*_given_evidence(request.evidence), *reading.record],
        consequences=_consequences(request, given, now),
        decisions=decisions,
        given=given,
        mine=mine,
        may=_may(request, actor, now),
        earlier=list(ApprovalRequest.objects.filter(subject_id=request.subject_id).exclude(pk=request.pk)[:10]),
        history=history([request], mine={mine.request_id} if mine else set()),
        attention=attention_of([request], actor)[request.pk],
        signs_for=right.signs_for if (right := right_of(request, actor)) else "",
        plan=plan(request, request.escalations.all()),
        stops=covering_request(request) if request.is_frozen else [],
        glass=glass,
        may_break=request.required > 1 and may_break(request, actor).allowed,
        may_look=glass is not None and may_look(glass, actor),
        **_place(actor, request),
    )


def history(
    requests: Iterable[ApprovalRequest],
    *,
    mine: set[UUID],
    streams: Iterable[str] = (),
    names: Mapping[UUID, str] | None = None,
    objects: Iterable[UUID] | None = None,
) -> Story:
    """What happened to these requests, and in `streams` to `objects` (None: to everything in them).

    The second reviewer judges alone: while a request is open, who signed it is told only to whoever signed it too.
    """
    requests = list(requests)
    known = {row.pk: row.title for row in requests}
    wanted = None if objects is None else {*objects, *known}
    told = story([*streams, *(row.stream for row in requests)], names=names or known, objects=wanted)
    secret = {row.pk for row in requests if row.is_open and row.pk not in mine}
    shown = [one for one in told.entries if not (one.event.object_id in secret and ".signed_" in one.event.event)]
    return Story(shown, told.truncated)


def next_waiting(actor: Actor, *, but: UUID) -> ApprovalRequest | None:
    return waiting_for(actor).exclude(pk=but).due_first().first()  # type: ignore[attr-defined,no-any-return]


def difference_from(request: ApprovalRequest, digest: str) -> list[Change]:
    """What differs between what was read (by its digest) and what waits now; empty when the old one is not known."""
    read = ApprovalRequest.objects.filter(subject_id=request.subject_id, digest=digest).first()
    return snapshots.difference(read.snapshot, request.snapshot) if read else []


def _may(request: ApprovalRequest, actor: Actor, now: datetime) -> Answer:
    if not request.is_open:
        return Answer(allowed=False, why=f"This request is {request.status}; nothing reopens a decision.")
    if not request.is_frozen and request.on_timeout == OnTimeout.REJECT and now >= request.decide_by:
        return Answer(allowed=False, why="The time to decide is over.")
    return may_decide(request, actor)


def _place(actor: Actor, request: ApprovalRequest) -> dict[str, Any]:
    """Where this request stands among those waiting for the reader."""
    rows = list(waiting_for(actor).order_by("decide_by", "-required", "id").only("id", "title", "decide_by")[:500])
    keys = [row.pk for row in rows]
    place = keys.index(request.pk) if request.pk in keys else -1
    others = [row for row in rows if row.pk != request.pk]
    return {
        "place": place + 1,
        "waiting": len(rows),
        "previous": rows[place - 1] if place > 0 else None,
        "next": rows[place + 1] if 0 <= place < len(rows) - 1 else (others[0] if place < 0 and others else None),
    }


def _given_evidence(rows: Any) -> list[Evidence]:
    """What the proposer attached. It says so itself, so it is marked as the agent's unless a record vouches for it."""
    return [_attached(number, row) for number, row in enumerate(rows, 1) if row not in (None, "", {}, [])]


def _attached(number: int, row: Any) -> Evidence:
    if not isinstance(row, Mapping):
        return Evidence(
            f"Attachment {number}", row if isinstance(row, str) else json.dumps(row, ensure_ascii=False), "", "agent"
        )
    label = str(row.get("label") or row.get("name") or row.get("type") or f"Attachment {number}")
    rest = row.get("value", row.get("text"))
    if rest is None:
        rest = {name: part for name, part in row.items() if name not in {"label", "name", "source"}}
    value = rest if isinstance(rest, str) else json.dumps(rest, ensure_ascii=False)
    return Evidence(label, value, str(row.get("source", "")), "agent")


def _consequences(request: ApprovalRequest, given: int, now: datetime) -> list[Consequence]:
    left = request.required - given
    window = _span(request.use_within_seconds)
    if left <= 1:
        release = "The last signature releases the act" if request.required > 1 else "The act is released"
        says = f"{release} at once: exactly these bytes, once, if it is carried out within {window}, until"
        approve = Consequence("If you approve", says, now + timedelta(seconds=request.use_within_seconds))
    else:
        approve = Consequence(
            "If you approve", "Yours is the first of two signatures. Nothing happens until another person signs too."
        )
    reject = Consequence(
        "If you reject", "The act is refused for good, whatever others said. The agent is told your reason and note."
    )
    if request.is_frozen:
        silence = Consequence("If nobody decides", "Nothing, while the clocks stand still. The time that was left runs on "
                              "when the stop is lifted. Silence never approves.")  # fmt: skip
    elif request.on_timeout == OnTimeout.REJECT:
        silence = Consequence(
            "If nobody decides", "The act is refused at", request.decide_by, "Silence never approves."
        )
    else:
        silence = Consequence("If nobody decides", "It stays here, marked overdue after", request.decide_by,
                              "Silence never approves.")  # fmt: skip
    return [approve, reject, silence]


def _span(seconds: int) -> str:
    if seconds % 3600 == 0:
        hours = seconds // 3600
        return f"{hours} hour{'s' if hours > 1 else ''}"
    if seconds >= 60:
        return f"{seconds // 60} minutes"
    return f"{seconds} seconds"


# --- Work ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """For the Work page: what waits for this person, and what was decided lately in units they see."""

    rows: list[QueueRow]
    total: str
    decided: list[Decision]


def work(actor: Actor, *, size: int = 8) -> Waiting:
    rows = waiting_for(actor)
    ended = Q(request__in=ApprovalRequest.objects.visible_to(actor)) & ~Q(request__status=RequestStatus.PENDING)
    voices = Decision.objects.filter(ended | Q(person_id=actor.user_id)).select_related("request")
    decided = list(voices.order_by("-at", "-id")[:size])
    due = rows.order_by("decide_by", "-required", "id")[:size]
    return Waiting(rows_of(due, actor), counted(rows), decided)


def query_of(filters: Mapping[str, str]) -> str:
    """The filters as a query string, empty ones left out."""
    return urlencode({name: value for name, value in filters.items() if value})
