"""The verbs of deciding. Every one: keyword-only, one transaction, the row locked before it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals import showing
from approvals.answers import refuse_unanswered, refuse_unfit_reason
from approvals.clocks import Clock, deadline
from approvals.models import ApprovalRequest, Decision, OnTimeout, Verdict
from approvals.permissions import refuse_own, refuse_second_voice, refuse_unless_reviewer
from approvals.quorum import Need, open_to, people_of, seats_of
from approvals.signals import request_resolved
from approvals.signers import refuse_unless_needed, standing
from approvals.statuses import UNDECIDED, RequestStatus
from audit import lifecycle, scope
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Forbidden, NotVisible, Refusal, Stale


class Changed(Stale):
    """What the reviewer read is not what is waiting now. Their text is kept; they read again."""

    code = "changed_since_viewed"


class TooLate(Refusal):
    """The time to decide is over, by the database's clock."""

    code = "too_late"


class NotUsable(Refusal):
    """The approval does not open this dispatch: wrong digest, lapsed, or its signatures no longer count."""

    code = "approval_not_usable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The frozen thing to decide on, as the composer describes it."""

    id: UUID
    unit_id: UUID
    unit_title: str
    title: str
    tool: str
    tool_version: str
    agent: str
    effect: str
    reversible: str
    snapshot: str
    digest: str
    revision: int
    tier: str
    requester: str
    requester_name: str
    execution_id: UUID | None = None
    replaces: UUID | None = None
    # Keys of people whose signature cannot count, each with the words for why ("own the agent clerk").
    duties: Mapping[str, str] = field(default_factory=dict)
    evidence: list[Any] = field(default_factory=list)
    agent_says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What people must give: how many signatures and whose, with which answers, by when, and why."""

    required: int
    policy_version: str
    reasons: tuple[str, ...]
    decide_within_seconds: int
    use_within_seconds: int
    on_timeout: str = OnTimeout.REJECT
    escalate_to: str = ""
    needs: tuple[Need, ...] = ()
    reason_codes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    # Where given, these stand in for `decide_within_seconds`: each counts the hours of its calendar, the earliest holds.
    clocks: tuple[Clock, ...] = ()


@transaction.atomic
def open_request(*, subject: Subject, asked: Asked, by: Actor) -> ApprovalRequest:
    """Put a frozen subject in front of people. What is asked of them is frozen with it; who they are is not."""
    due = deadline(lifecycle.database_now(), asked.clocks or (Clock(asked.decide_within_seconds),))
    columns = {name: getattr(subject, name) for name in subject.__slots__ if name not in {"id", "duties"}}
    required, needs = people_of(asked.required, asked.needs), [need.to_json() for need in asked.needs]
    groups = open_to(seats_of(required, asked.needs), {})
    request = ApprovalRequest(
        subject_id=subject.id,
        required=required,
        needs=needs,
        open_to=None if groups is None else sorted(groups),
        reason_codes=list(asked.reason_codes),
        checks=list(asked.checks),
        policy_version=asked.policy_version,
        reasons=list(asked.reasons),
        on_timeout=asked.on_timeout,
        escalate_to=asked.escalate_to,
        decide_by=due.at,
        calendar=due.calendar,
        use_within_seconds=asked.use_within_seconds,
        excluded=list(subject.duties),
        duties=dict(subject.duties),
        **columns,
    )
    facts = {"digest": subject.digest, "required": required, "subject": str(subject.id)}
    lifecycle.born(request, by=by, data={**facts, "needs": needs} if needs else facts)
    return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What a person says, and over exactly what: the digest and revision they had on screen."""

    digest: str
    revision: int
    reason_code: str
    note: str = ""
    # What was opened and for how long; `view` is the digest of what the page showed.
    viewed: Mapping[str, Any] = field(default_factory=dict)
    # The policy's checks, each with a yes (True) or no.
    answers: Mapping[str, Any] = field(default_factory=dict)
    # Two-person acts: the critical value, typed in by this person.
    critical: str = ""


@transaction.atomic
def approve(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record one "yes"; the last one needed resolves the request. Repeating one's own yes changes nothing."""
    request = lock(request_id, by)
    if _said_before(request, by, Verdict.APPROVE, voice):
        return request
    _refuse_unless_open(request, by, voice, Verdict.APPROVE)
    refuse_unless_needed(request, by, standing(request))
    _record(request, by, Verdict.APPROVE, voice)
    now = standing(request)
    if now.complete:
        _resolve(request, RequestStatus.APPROVED, by=by, use_by=_usable_until(request))
    else:
        request.open_to = now.open_to
        request.save(update_fields=["open_to"])
    return request


@transaction.atomic
def reject(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record a "no", which is final whatever was said before."""
    request = lock(request_id, by)
    if _said_before(request, by, Verdict.REJECT, voice):
        return request
    _refuse_unless_open(request, by, voice, Verdict.REJECT)
    _record(request, by, Verdict.REJECT, voice)
    _resolve(request, RequestStatus.REJECTED, by=by, why=f"{voice.reason_code}: {voice.note}".rstrip(": "))
    return request


@transaction.atomic
def answer(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record that this person has supplied the result themselves: the request is over, and nothing is carried out.

    An act that needs two people is not answered by one.
    """
    request = lock(request_id, by)
    if _said_before(request, by, Verdict.ANSWER, voice):
        return request
    refuse_unless_waiting(request, by, digest=voice.digest, revision=voice.revision)
    if request.required > 1:
        raise Forbidden(
            "Two people decide on this act, so one cannot answer in its place.",
            code="needs_two",
            remedy="Reject it, or send it back with a question.",
        )
    _refuse_unless_open(request, by, voice, Verdict.ANSWER)
    refuse_unless_needed(request, by, standing(request))
    _record(request, by, Verdict.ANSWER, voice)
    _resolve(request, RequestStatus.ANSWERED, by=by, why=f"{voice.reason_code}: {voice.note}".rstrip(": "))
    return request


@transaction.atomic
def withdraw(*, subject_id: UUID, by: Actor, why: str) -> None:
    """The asker takes it back, or the thing asked about is cancelled. Nothing to do when it is already decided."""
    _end_live(subject_id, RequestStatus.WITHDRAWN, by=by, why=why)


@transaction.atomic
def void(*, subject_id: UUID, by: Actor, why: str) -> None:
    """What was approved no longer exists in that form: the signatures open nothing."""
    _end_live(subject_id, RequestStatus.VOID, by=by, why=why)


def _end_live(subject_id: UUID, to: str, *, by: Actor, why: str) -> None:
    live = (
        ApprovalRequest.objects.select_for_update()
        .filter(subject_id=subject_id, status__in=[*UNDECIDED, RequestStatus.APPROVED])
        .first()
    )
    if live is not None:
        move(live, to=to, by=by, why=why, resolved_at=Now())


@transaction.atomic
def use(*, subject_id: UUID, digest: str, by: Actor, duties: Mapping[str, str] | None = None) -> ApprovalRequest:
    """Consume the approval for one dispatch, inside the redeeming transaction.

    Everything is asked again: same digest, inside its window, and every signature still counts. `duties` are those of
    now, beside the ones that were frozen when people were asked. Raises NotUsable.
    """
    request = (
        ApprovalRequest.objects.select_for_update().filter(subject_id=subject_id, status=RequestStatus.APPROVED).first()
    )
    if request is None:
        raise NotUsable("There is no approval waiting to be used for this action.")
    if request.digest != digest:
        raise NotUsable("The action changed after it was approved.", code="changed_since_approved")
    if not is_still_signed(request, duties):
        raise NotUsable(
            "A signature no longer counts: its reviewer lost the role or the group, or took a duty in it since.",
            code="signature_revoked",
        )
    try:
        move(request, to=RequestStatus.USED, by=by, guard={"use_by__gt": Now()}, data={"digest": digest})
    except Stale:
        raise NotUsable("The approval was not used in time.", code="approval_lapsed") from None
    return request


def is_still_signed(request: ApprovalRequest, duties: Mapping[str, str] | None = None) -> bool:
    """Do the signatures it was approved with still count? Asked again before every further dispatch of the same grant."""
    return standing(request, also_excluded=frozenset(duties or ())).complete


def expire_overdue(*, by: Actor, limit: int = 500) -> int:
    """End what nobody decided or used in time. Each row in its own transaction, so one bad row delays no other.

    What its policy escalates or holds is left waiting; that an escalating one is overdue is written down, once.
    """
    for pk in ApprovalRequest.objects.overdue_unnoted().values_list("pk", flat=True)[:limit]:
        _note_overdue(pk, by=by)
    overdue = [*ApprovalRequest.objects.overdue().values_list("pk", flat=True)[:limit]]
    lapsed = [*ApprovalRequest.objects.lapsed().values_list("pk", flat=True)[:limit]]
    return sum(_expire(pk, by=by) for pk in [*overdue, *lapsed])


@transaction.atomic
def _note_overdue(request_id: UUID, *, by: Actor) -> None:
    rows = ApprovalRequest.objects.overdue_unnoted().select_for_update(skip_locked=True)
    request = rows.filter(pk=request_id).first()
    if request is not None:
        ApprovalRequest.objects.filter(pk=request_id).update(overdue_noted_at=Now())
        data = {"digest": request.digest, "escalate_to": request.escalate_to}
        lifecycle.note(request, "approval_request.overdue", by=by, why="nobody decided in time", data=data)


@transaction.atomic
def _expire(request_id: UUID, *, by: Actor) -> bool:
    request = (
        (ApprovalRequest.objects.overdue() | ApprovalRequest.objects.lapsed())
        .select_for_update(skip_locked=True)
        .filter(pk=request_id)
        .first()
    )
    if request is None:
        return False
    why = "nobody decided in time" if request.is_open else "the approval was not used in time"
    _resolve(request, RequestStatus.EXPIRED, by=by, why=why)
    return True


def lock(request_id: UUID, by: Actor) -> ApprovalRequest:
    """The row, held until the transaction ends; what an actor may not see is not there."""
    request = ApprovalRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None or request.unit_id not in scope.unit_ids(by, "view"):
        raise NotVisible("There is no such approval request.")
    return request


def _said_before(request: ApprovalRequest, by: Actor, verdict: str, voice: Voice) -> bool:
    """A double click or a retried POST: the same voice on the same bytes is already recorded."""
    return request.decisions.filter(
        person_id=by.user_id, verdict=verdict, revision=voice.revision, digest=voice.digest
    ).exists()


def refuse_unless_waiting(request: ApprovalRequest, by: Actor, *, digest: str, revision: int) -> None:
    """Whatever a reviewer does, it is theirs to do, still to be done, in time, and over the bytes they read."""
    refuse_unless_reviewer(request, by)
    refuse_own(request, by)
    if request.status == RequestStatus.SENT_BACK:
        raise Stale("It was sent back with a question. Nothing was recorded; it comes back with the answer.")
    if request.status != RequestStatus.PENDING:
        raise Stale(f"This request is already {request.status}. Nothing was recorded.")
    if (request.digest, request.revision) != (digest, revision):
        raise Changed("The action changed after you opened it. Nothing was recorded; please read it again.")
    if request.on_timeout == OnTimeout.REJECT and lifecycle.database_now() >= request.decide_by:
        raise TooLate("The time to decide on this request is over. Nothing was recorded.")
    refuse_second_voice(request, by)


def _refuse_unless_open(request: ApprovalRequest, by: Actor, voice: Voice, verdict: Verdict) -> None:
    refuse_unless_waiting(request, by, digest=voice.digest, revision=voice.revision)
    _refuse_unread(request, voice, verdict)
    refuse_unfit_reason(request, verdict, voice.reason_code, voice.note)
    refuse_unanswered(request, verdict, voice.answers)


def _refuse_unread(request: ApprovalRequest, voice: Voice, verdict: Verdict) -> None:
    """A signature counts for what was read: the page as it is now, whole, and where two people sign every part of it."""
    if str(voice.viewed.get("view", "")) not in {"", showing.view_digest(request)}:
        raise Changed("What the page says has changed since you opened it. Nothing was recorded; please read it again.")
    if verdict == Verdict.APPROVE:
        showing.refuse_hidden(request)
    showing.refuse_unread(request, voice.viewed)
    showing.refuse_miscopied(request, voice.critical)


def _record(request: ApprovalRequest, by: Actor, verdict: str, voice: Voice) -> None:
    Decision.objects.create(
        request=request,
        person_id=_person_id(by),
        person_name=by.name,
        verdict=verdict,
        reason_code=voice.reason_code,
        note=voice.note,
        digest=voice.digest,
        revision=voice.revision,
        viewed=dict(voice.viewed),
        answers=dict(voice.answers),
    )
    lifecycle.note(
        request,
        f"approval_request.signed_{verdict}",
        by=by,
        data={
            "digest": voice.digest,
            "revision": voice.revision,
            "reason_code": voice.reason_code,
            "view": str(voice.viewed.get("view", "")),
        },
    )


def _person_id(by: Actor) -> int:
    if by.user_id is None:
        raise TypeError("only a person has a voice")
    return by.user_id


def _usable_until(request: ApprovalRequest) -> Any:
    return lifecycle.database_now() + timedelta(seconds=request.use_within_seconds)


def _resolve(request: ApprovalRequest, to: str, *, by: Actor, why: str = "", **columns: Any) -> None:
    move(request, to=to, by=by, why=why, data={"digest": request.digest}, resolved_at=Now(), **columns)
    request_resolved.send(ApprovalRequest, request=request)
