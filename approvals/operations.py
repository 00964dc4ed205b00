"""The verbs of deciding. Every one: keyword-only, one transaction, the row locked before it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals import clocks, notices
from approvals.holds import let_go, refuse_while_held
from approvals.locks import lock_request
from approvals.models import FITS, ApprovalRequest, BreakGlass, Decision, NoticeKind, OnTimeout, ReasonCode, Verdict
from approvals.permissions import person_id, refuse_own, refuse_second_voice, refuse_unless_reviewer, still_counts
from approvals.signals import request_resolved
from approvals.standing import refuse_stand_in, right_of
from approvals.statuses import RequestStatus
from approvals.stopped import covering_request, refuse_stopped
from audit import lifecycle
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Forbidden, Invalid, Refusal, Stale


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
    excluded: tuple[str, ...] = ()
    evidence: list[Any] = field(default_factory=list)
    agent_says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What people must give: how many signatures, by when, and why."""

    required: int
    policy_version: str
    reasons: tuple[str, ...]
    decide_within_seconds: int
    use_within_seconds: int
    on_timeout: str = OnTimeout.REJECT


@transaction.atomic
def open_request(*, subject: Subject, asked: Asked, by: Actor) -> ApprovalRequest:
    """Put a frozen subject in front of people."""
    now = lifecycle.database_now()
    columns = {name: getattr(subject, name) for name in subject.__slots__ if name != "id"}
    request = ApprovalRequest(
        subject_id=subject.id,
        required=asked.required,
        policy_version=asked.policy_version,
        reasons=list(asked.reasons),
        on_timeout=asked.on_timeout,
        decide_by=now + timedelta(seconds=asked.decide_within_seconds),
        use_within_seconds=asked.use_within_seconds,
        **{**columns, "excluded": list(subject.excluded)},
    )
    request.frozen_at = now if covering_request(request) else None
    lifecycle.born(
        request, by=by, data={"digest": subject.digest, "required": asked.required, "subject": str(subject.id)}
    )
    notices.tell_of_request(NoticeKind.WAITING, request, by=by)
    return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """What a person says, and over exactly what: the digest and revision they had on screen."""

    digest: str
    revision: int
    reason_code: str
    note: str = ""
    viewed: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def approve(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record one "yes"; the last one needed resolves the request. Repeating one's own yes changes nothing."""
    request = lock_request(request_id, by)
    if _said_before(request, by, Verdict.APPROVE, voice):
        return request
    _refuse_unless_open(request, by, voice, Verdict.APPROVE)
    refuse_stopped(request)
    _record(request, by, Verdict.APPROVE, voice)
    complete(request, by=by)
    return request


def complete(request: ApprovalRequest, *, by: Actor) -> None:
    """Approved as soon as the signatures are there; until then it waits for the next one."""
    if is_still_signed(request):
        _resolve(request, RequestStatus.APPROVED, by=by, use_by=_usable_until(request))


@transaction.atomic
def reject(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record a "no", which is final whatever was said before."""
    request = lock_request(request_id, by)
    if _said_before(request, by, Verdict.REJECT, voice):
        return request
    _refuse_unless_open(request, by, voice, Verdict.REJECT)
    _record(request, by, Verdict.REJECT, voice)
    _resolve(request, RequestStatus.REJECTED, by=by, why=f"{voice.reason_code}: {voice.note}".rstrip(": "))
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
        .filter(subject_id=subject_id, status__in=[RequestStatus.PENDING, RequestStatus.APPROVED])
        .first()
    )
    if live is not None:
        move(live, to=to, by=by, why=why, resolved_at=Now())


@transaction.atomic
def use(*, subject_id: UUID, digest: str, by: Actor) -> ApprovalRequest:
    """Consume the approval for one dispatch, inside the redeeming transaction.

    Everything is asked again: same digest, inside its window, and every signature still counts. Raises NotUsable.
    """
    request = (
        ApprovalRequest.objects.select_for_update().filter(subject_id=subject_id, status=RequestStatus.APPROVED).first()
    )
    if request is None:
        raise NotUsable("There is no approval waiting to be used for this action.")
    if request.digest != digest:
        raise NotUsable("The action changed after it was approved.", code="changed_since_approved")
    if not is_still_signed(request):
        raise NotUsable("A signature no longer counts: the reviewer lost the role.", code="signature_revoked")
    try:
        move(request, to=RequestStatus.USED, by=by, guard={"use_by__gt": Now()}, data={"digest": digest})
    except Stale:
        raise NotUsable("The approval was not used in time.", code="approval_lapsed") from None
    return request


def is_still_signed(request: ApprovalRequest) -> bool:
    """Do the signatures it was approved with still count? Asked again before every further dispatch of the same grant."""
    voters = counting_voters(request)
    return len(voters) >= request.required or _signed_alone(request, voters)


def _signed_alone(request: ApprovalRequest, voters: set[int]) -> bool:
    """One of them broke the glass over exactly this (approvals.emergencies)."""
    same = BreakGlass.objects.filter(request=request, revision=request.revision, digest=request.digest)
    return bool(voters) and same.filter(person_id__in=voters).exists()


def counting_voters(request: ApprovalRequest) -> set[int]:
    voices = request.decisions.filter(
        verdict=Verdict.APPROVE, revision=request.revision, digest=request.digest
    ).select_related("person", "delegation__delegator")
    # Whoever was signed for counts, not who held the pen: one right is one signature.
    return {voice.for_person_id or voice.person_id for voice in voices if still_counts(request, voice)}


def expire_overdue(*, by: Actor, limit: int = 500) -> int:
    """End what nobody decided or used in time. Each row in its own transaction, so one bad row delays no other."""
    overdue = [*ApprovalRequest.objects.overdue().values_list("pk", flat=True)[:limit]]
    lapsed = [*ApprovalRequest.objects.lapsed().values_list("pk", flat=True)[:limit]]
    return sum(_expire(pk, by=by) for pk in [*overdue, *lapsed])


@transaction.atomic
def _expire(request_id: UUID, *, by: Actor) -> bool:
    # A stop that was engaged a moment ago may not have reached this row yet.
    clocks.freeze([request_id])
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


def _said_before(request: ApprovalRequest, by: Actor, verdict: str, voice: Voice) -> bool:
    """A double click or a retried POST: the same voice on the same bytes is already recorded."""
    return request.decisions.filter(
        person_id=by.user_id, verdict=verdict, revision=voice.revision, digest=voice.digest
    ).exists()


def _refuse_unless_open(request: ApprovalRequest, by: Actor, voice: Voice, verdict: Verdict) -> None:
    refuse_unless_reviewer(request, by)
    refuse_own(request, by)
    refuse_stand_in(request, by)
    if request.status != RequestStatus.PENDING:
        raise Stale(f"This request is already {request.status}. Nothing was recorded.")
    if (request.digest, request.revision) != (voice.digest, voice.revision):
        raise Changed("The action changed after you opened it. Nothing was recorded; please read it again.")
    refuse_too_late(request)
    refuse_second_voice(request, by)
    refuse_while_held(request, by)
    if voice.reason_code not in FITS[verdict]:
        fitting = ", ".join(sorted(FITS[verdict]))
        raise Invalid(
            f"Choose a reason to {verdict}.", errors=[("/reason_code", "not_fitting", f"Use one of: {fitting}.")]
        )
    if voice.reason_code == ReasonCode.OTHER and not voice.note.strip():
        raise Invalid("A note is needed.", errors=[("/note", "required", "The reason “other” needs a note.")])


def refuse_too_late(request: ApprovalRequest) -> None:
    """By the database's clock, and only where silence ends it; a clock that stands still ends nothing."""
    runs_out = request.frozen_at is None and request.on_timeout == OnTimeout.REJECT
    if runs_out and lifecycle.database_now() >= request.decide_by:
        raise TooLate("The time to decide on this request is over. Nothing was recorded.")


def _record(request: ApprovalRequest, by: Actor, verdict: str, voice: Voice) -> None:
    right = right_of(request, by)
    if right is None:
        raise Forbidden("The right to sign was taken back at this very moment. Nothing was recorded.")
    lent = right.delegation
    Decision.objects.create(
        request=request,
        person_id=person_id(by),
        person_name=by.name,
        delegation=lent,
        for_person_id=lent.delegator_id if lent else None,
        for_person_name=lent.delegator_name if lent else "",
        verdict=verdict,
        reason_code=voice.reason_code,
        note=voice.note,
        digest=voice.digest,
        revision=voice.revision,
        viewed=dict(voice.viewed),
    )
    # Signing uses one's claim up.
    let_go(request.claims.open().filter(person_id=by.user_id))
    lifecycle.note(
        request,
        f"approval_request.signed_{verdict}",
        by=by,
        why=f"for {lent.delegator_name}, who delegated it" if lent else "",
        data={
            "digest": voice.digest,
            "revision": voice.revision,
            "reason_code": voice.reason_code,
            **({"for": f"user:{lent.delegator_id}", "delegation": str(lent.pk)} if lent else {}),
        },
    )


def _usable_until(request: ApprovalRequest) -> Any:
    return lifecycle.database_now() + timedelta(seconds=request.use_within_seconds)


def _resolve(request: ApprovalRequest, to: str, *, by: Actor, why: str = "", **columns: Any) -> None:
    move(request, to=to, by=by, why=why, data={"digest": request.digest}, resolved_at=Now(), **columns)
    notices.tell_of_request(NoticeKind.DECIDED, request, by=by)
    request_resolved.send(ApprovalRequest, request=request)
