"""Yes, no, and the result given by a person instead."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals.models import ApprovalRequest, Verdict, said
from approvals.operations.ending import resolve
from approvals.operations.voices import Voice, record, refuse_unless_open, refuse_unless_waiting, said_before
from approvals.rules.locks import lock_request
from approvals.rules.signers import right_to_reject, right_to_sign, standing
from approvals.rules.stopped import refuse_stopped
from approvals.statuses import RequestStatus
from audit import lifecycle
from audit.actors import Actor
from audit.refusals import Forbidden, Refusal


class NeedsResult(Refusal):
    """What is to be done by hand is not approved: whatever follows works with what was to be given here."""

    code = "needs_result"


@transaction.atomic
def approve(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record one "yes"; the last one needed resolves the request. Repeating one's own yes changes nothing."""
    request = lock_request(request_id, by)
    if said_before(request, by, Verdict.APPROVE, voice):
        return request
    refuse_unless_open(request, by, voice, Verdict.APPROVE)
    if request.is_by_hand:
        raise NeedsResult(
            "This step is to be done by hand, and what follows works with its result. Nothing was recorded.",
            remedy="Do the step and give its result, or reject it.",
        )
    refuse_stopped(request)
    record(request, by, Verdict.APPROVE, voice, right_to_sign(request, by, standing(request)))
    complete(request, by=by)
    return request


def complete(request: ApprovalRequest, *, by: Actor) -> None:
    """Approved as soon as the signatures are there; until then it waits for those of whom one is still needed."""
    stands = standing(request)
    if stands.complete:
        resolve(request, RequestStatus.APPROVED, by=by, use_by=_usable_until(request))
    else:
        request.open_to = stands.open_to
        request.save(update_fields=["open_to"])


@transaction.atomic
def reject(*, request_id: UUID, by: Actor, voice: Voice) -> ApprovalRequest:
    """Record a "no", which is final whatever was said before: by others, or by this very person while it waited for others."""
    request = lock_request(request_id, by)
    if said_before(request, by, Verdict.REJECT, voice):
        return request
    refuse_unless_open(request, by, voice, Verdict.REJECT)
    record(request, by, Verdict.REJECT, voice, right_to_reject(request, by))
    resolve(request, RequestStatus.REJECTED, by=by, why=said(voice.reason_code, voice.note))
    return request


@transaction.atomic
def answer(*, request_id: UUID, by: Actor, voice: Voice, result: dict[str, Any]) -> ApprovalRequest:
    """Record that this person has supplied the result themselves: the request is over, and nothing is carried out.

    An act that needs two people is not answered by one, and nothing is answered that is stopped.
    """
    request = lock_request(request_id, by)
    if said_before(request, by, Verdict.ANSWER, voice):
        return request
    refuse_unless_waiting(request, by, digest=voice.digest, revision=voice.revision)
    if request.required > 1:
        raise Forbidden(
            "Two people decide on this act, so one cannot answer in its place.",
            code="needs_two",
            remedy="Reject it, or send it back with a question.",
        )
    refuse_unless_open(request, by, voice, Verdict.ANSWER)
    refuse_stopped(request)
    record(request, by, Verdict.ANSWER, voice, right_to_sign(request, by, standing(request)), result=result)
    resolve(request, RequestStatus.ANSWERED, by=by, why=said(voice.reason_code, voice.note))
    return request


def _usable_until(request: ApprovalRequest) -> Any:
    return lifecycle.database_now() + timedelta(seconds=request.use_within_seconds)
