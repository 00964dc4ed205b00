"""The review page of one request as a frozen dataclass, every row already fetched."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from django.db.models import Prefetch, QuerySet

from approvals import snapshots
from approvals.authentication import factors
from approvals.authentication.factors import Factors
from approvals.models import (
    ApprovalRequest,
    BreakGlass,
    Decision,
    Edit,
    OnTimeout,
    RecordChange,
    Remark,
    SeededItem,
    Stop,
)
from approvals.operations import readings
from approvals.operations.emergencies import may_break, may_look
from approvals.operations.escalation import Planned, plan
from approvals.queries.attention import Attention, attention_of
from approvals.queries.blind import history
from approvals.queries.consequences import Consequence, consequences_of
from approvals.queries.evidence import evidence_of
from approvals.queries.layout import Part, parts_of
from approvals.queries.queue import DUE_FIRST, effect_of, waiting_for
from approvals.rules.eligible import Answer, may_decide, may_reject_still
from approvals.rules.permissions import may_reply
from approvals.rules.showing import Lock, Row, lock_of, rows_of
from approvals.rules.signers import NotNeeded, Standing, right_to_sign, standing, with_people
from approvals.rules.standing import Right, right_of
from approvals.rules.stopped import covering_request
from approvals.snapshots import Change, Evidence, Reading
from approvals.statuses import RequestStatus
from audit import people
from audit.actors import Actor
from audit.queries import Story, visible_or_refuse
from audit.refusals import Refusal

# Of so many waiting requests a page says which one it is: it reads them all to say so.
NUMBERED = 500


@dataclass(frozen=True, slots=True)
class Review:
    request: ApprovalRequest
    reading: Reading
    evidence: list[Evidence]
    consequences: list[Consequence]
    decisions: list[Decision]
    stands: Standing
    mine: Decision | None
    may: Answer
    may_reject_still: bool
    place: int
    waiting: str
    previous: ApprovalRequest | None
    next: ApprovalRequest | None
    earlier: list[ApprovalRequest]
    history: Story
    attention: Attention
    plan: list[Planned]
    signs_for: str
    seat: list[str]
    stops: list[Stop]
    glass: BreakGlass | None
    may_break: bool
    may_look: bool
    factors: Factors
    lock: Lock | None = None
    remarks: list[Remark] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    may_answer: bool = False
    record_change: RecordChange | None = None
    replaced: ApprovalRequest | None = None
    successor: ApprovalRequest | None = None

    @property
    def sent_before(self) -> list[dict[str, Any]]:
        """Acts that went out under the same business key before this was asked."""
        return [one for one in self.request.found if one.get("action")]

    @property
    def arguments(self) -> list[Row]:
        return rows_of(self.reading.arguments, self.lock)

    @property
    def parts(self) -> list[Part]:
        """The arguments as the page lays them out."""
        return parts_of(self.arguments, self.request)

    @property
    def bound(self) -> list[Row]:
        return rows_of(self.reading.bound, self.lock)

    @property
    def changed_since(self) -> list[Change]:
        """What differs from the act people were asked about before, for instance the record as it was read again."""
        if self.replaced is None or self.lock is not None:
            return []
        rows = snapshots.difference(self.replaced.snapshot, self.request.snapshot)
        return [row for row in rows if row.label != "revision"]

    @property
    def record_differs(self) -> list[Change]:
        """What the record says now and did not say when people were asked, or when it was last seen to change."""
        if self.record_change is None or self.lock is not None:
            return []
        rows = snapshots.difference(self.record_change.before, self.request.snapshot)
        return [row for row in rows if row.label.startswith("record")]

    @property
    def void_because(self) -> str:
        """Why the signatures given here open nothing any more, in the words recorded."""
        events = [told.event for told in self.history.entries if told.event.after == RequestStatus.VOID]
        return events[-1].why if events else ""

    @property
    def is_second(self) -> bool:
        """Whoever signs second comes from the evidence to the act, not the way the first one went."""
        return self.request.is_open and self.given > 0 and self.mine is None

    @property
    def left_out(self) -> int:
        """How many arguments are not on the page; then approving is locked."""
        return len(self.reading.arguments) - len(self.arguments)

    @property
    def effect(self) -> str:
        return effect_of(self.request)

    @property
    def may_claim(self) -> bool:
        """Could the reader take it in hand: is their signature needed, and do they hold no claim yet?"""
        return self.may.allowed and not self.may.why and self.attention.mine is None

    @property
    def stoppable_tool(self) -> str:
        """The tool that would be called; a request about a step of a workflow is about none."""
        return self.request.tool if self.request.agent else ""

    @property
    def given(self) -> int:
        """Signatures that fill a seat and still count."""
        return self.stands.given

    @property
    def missing(self) -> str:
        return self.stands.missing if self.request.is_open else ""

    @property
    def raw(self) -> bytes:
        """The very bytes the digest was taken over."""
        return bytes(self.request.snapshot.encode())

    @property
    def shows_decisions(self) -> bool:
        """The second reviewer judges alone: who signed and why is shown once this person has signed, or all is over."""
        return not self.request.is_open or self.mine is not None

    @property
    def test(self) -> SeededItem | None:
        """The test item behind it: told to whoever has signed it, and to everybody when it is over."""
        return self.request.seeded if self.request.is_test and self.shows_decisions else None

    @property
    def is_over_for_reader(self) -> bool:
        """Have they nothing more to do here for now: signed, or sent back with a question that others answer?"""
        return self.mine is not None or (self.request.is_open and not self.request.is_pending and not self.may_answer)

    @property
    def offers_glass(self) -> bool:
        """Is signing alone offered? Whoever has signed waits for the others first, until these have been reminded."""
        return self.may_break and (self.mine is None or any(step.taken for step in self.plan))

    @property
    def may_read_again(self) -> bool:
        """Could the reader ask for the record to be read again?"""
        return self.may.allowed and not self.request.is_frozen and readings.can_be_read(self.request, self.reading)

    @property
    def is_stale(self) -> bool:
        """Was the record read so long ago that the page asks by itself?"""
        return self.may_read_again and readings.is_stale(self.request)

    @property
    def version(self) -> str:
        frozen = ".frozen" if self.request.is_frozen else ""
        glass = f".{self.glass.status}" if self.glass else ""
        said = f"{self.request.status}.{self.request.revision}.{self.given}.{len(self.decisions)}.{len(self.remarks)}"
        read = f".{self.request.record_read_at:%H%M%S%f}" if self.request.record_read_at else ""
        asked = ".asked" if self.request.reading_asked_at else ""
        # What the reader may do changes without the request: by a delegation, a role, the hour.
        may = crc32(f"{self.may.allowed} {self.may.why} {self.signs_for}".encode())
        return f"{said}{frozen}{glass}{read}{asked}.{self.attention.version}.{may:x}"


def review(actor: Actor, request_id: UUID, *, now: datetime) -> Review:
    """Everything the review page shows. Raises NotVisible."""
    # Every form of the page carries the digest of what the page says, remarks included: they are fetched once.
    voices = Prefetch("decisions", with_people(Decision.objects.all()))
    rows = ApprovalRequest.objects.visible_to(actor).prefetch_related("remarks", voices, "emergencies")
    rows = rows.annotate(own_factors=factors.kinds_in_query(actor))
    request: Any = visible_or_refuse(rows, request_id, "request")
    reading = snapshots.read(request.snapshot, source=request.tool)
    lock = lock_of(request, reading)
    decisions = list(request.decisions.all())
    stands = standing(request, voices=decisions)
    # A voice over an earlier revision is history: what it was about is not what waits now.
    accounts = people.accounts_behind(actor)
    own = [one for one in decisions if {one.person_id, one.for_person_id} & accounts]
    # The last one: a "no" may have followed their "yes".
    mine = next((one for one in reversed(own) if one.revision == request.revision), None)
    glass = max(request.emergencies.all(), key=lambda one: one.broken_at, default=None)
    right, may = _right(request, actor, stands), _may(request, actor, stands, now)
    return Review(
        request=request,
        reading=reading,
        evidence=evidence_of(request, reading, lock),
        consequences=consequences_of(request, stands, signed=mine is not None, decides=may.allowed),
        decisions=decisions,
        stands=stands,
        mine=mine,
        may=may,
        may_reject_still=_in_time(request, now) and may_reject_still(request, actor),
        lock=lock,
        remarks=sorted(request.remarks.all(), key=lambda remark: (remark.at, remark.pk)),
        successor=ApprovalRequest.objects.filter(replaces=request.pk).first()
        if request.status == RequestStatus.VOID
        else None,
        replaced=ApprovalRequest.objects.filter(pk=request.replaces).first() if request.replaces else None,
        edits=list(request.edits.order_by("revision")) if request.revision > 1 else [],
        record_change=request.record_changes.order_by("-revision").first()
        if request.record_found and request.revision > 1
        else None,
        may_answer=request.is_open and not request.is_pending and may_reply(request, actor),
        earlier=list(ApprovalRequest.objects.filter(subject_id=request.subject_id).exclude(pk=request.pk)[:10]),
        history=history([request], mine={mine.request_id} if mine else set()),
        attention=attention_of([request], actor)[request.pk],
        signs_for=right.signs_for if right else "",
        seat=stands.seat_for(right.voter_id(actor)) if right else [],
        plan=plan(request, request.escalations.all()),
        stops=covering_request(request) if request.is_frozen else [],
        glass=glass,
        may_break=request.required > 1 and request.is_pending and may_break(request, actor, stands).allowed,
        factors=factors.of_kinds(request.own_factors),
        may_look=glass is not None and may_look(glass, actor),
        **place(request, waiting_for(actor)),
    )


def difference_from(request: ApprovalRequest, digest: str) -> list[Change]:
    """What differs between what was read (by its digest) and what waits now; empty when the old one is not known."""
    edit = (
        Edit.objects.filter(request__subject_id=request.subject_id, before_digest=digest).order_by("-revision").first()
    )
    renewed = RecordChange.objects.filter(request__subject_id=request.subject_id, before_digest=digest).first()
    old = ApprovalRequest.objects.filter(subject_id=request.subject_id, digest=digest).first()
    read = edit.before if edit else renewed.before if renewed else old.snapshot if old else ""
    return snapshots.difference(read, request.snapshot) if read else []


def _right(request: ApprovalRequest, actor: Actor, stands: Standing) -> Right | None:
    """With which right the reader would sign; where no signature of theirs is needed, with which they would reject."""
    try:
        return right_to_sign(request, actor, stands)
    except Refusal:
        return right_of(request, actor)


def _may(request: ApprovalRequest, actor: Actor, stands: Standing, now: datetime) -> Answer:
    if request.is_open and not request.is_pending:
        return Answer(allowed=False, why="It was sent back with a question and comes back with the answer.")
    if not request.is_open:
        return Answer(allowed=False, why=f"This request is {request.status}; nothing reopens a decision.")
    if not _in_time(request, now):
        return Answer(allowed=False, why="The time to decide is over.")
    answer = may_decide(request, actor)
    if answer.why:
        return answer
    try:
        right_to_sign(request, actor, stands)
    except NotNeeded as refusal:
        return Answer(answer.allowed, f"{refusal.message} {refusal.remedy}")
    return answer


def _in_time(request: ApprovalRequest, now: datetime) -> bool:
    runs_out = not request.is_frozen and request.on_timeout == OnTimeout.REJECT
    return request.is_pending and not (runs_out and now >= request.decide_by)


def place(request: ApprovalRequest, among: QuerySet[ApprovalRequest]) -> dict[str, Any]:
    """Where this request stands among those waiting for the reader, or in the part of the queue they came from."""
    among = among.only("id", "title", "decide_by", "required")
    rows = list(among.order_by(*DUE_FIRST.fields)[: NUMBERED + 1])
    if len(rows) > NUMBERED and request.pk not in {row.pk for row in rows[:NUMBERED]}:
        return {"place": 0, "waiting": f"{NUMBERED}+", **_neighbours(request, among, rows[0])}
    keys = [row.pk for row in rows]
    at = keys.index(request.pk) if request.pk in keys else -1
    others = [row for row in rows if row.pk != request.pk]
    return {
        "place": at + 1,
        "waiting": f"{NUMBERED}+" if len(rows) > NUMBERED else str(len(rows) or ""),
        "previous": rows[at - 1] if at > 0 else None,
        "next": rows[at + 1] if 0 <= at < len(rows) - 1 else (others[0] if at < 0 and others else None),
    }


def _neighbours(request: ApprovalRequest, among: QuerySet[ApprovalRequest], first: ApprovalRequest) -> dict[str, Any]:
    """Of one that stands too far back for a number. What is no longer among them leads to the first."""
    if not among.filter(pk=request.pk).exists():
        return {"previous": None, "next": first}
    here = DUE_FIRST.cursor(request)
    before, after = (DUE_FIRST.slice(among, size=1, **{side: here}).rows for side in ("before", "after"))
    return {"previous": before[0] if before else None, "next": after[0] if after else None}
