"""One person's voice: what it has to be to be taken, and its record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from approvals.authentication.step_up import refuse_unconfirmed
from approvals.models import ApprovalRequest, Confirmation, Decision, Delegation, OnTimeout, Verdict
from approvals.rules import showing
from approvals.rules.answers import refuse_unanswered, refuse_unfit_reason
from approvals.rules.holds import let_go, refuse_while_held
from approvals.rules.permissions import has_voice, person_id, refuse_second_voice, refuse_unless_eligible
from approvals.rules.standing import Right
from approvals.statuses import RequestStatus
from audit import lifecycle
from audit.actors import Actor
from audit.canonical import canonical, digest_text
from audit.refusals import Refusal, Stale


class Changed(Stale):
    """What the reviewer read is not what is waiting now. Their text is kept; they read again."""

    code = "changed_since_viewed"


class TooLate(Refusal):
    """The time to decide is over, by the database's clock."""

    code = "too_late"


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
    # The second factor that confirms it (approvals.authentication.step_up.confirm), where one is asked for.
    confirmation: UUID | None = None


def said_before(request: ApprovalRequest, by: Actor, verdict: str, voice: Voice) -> bool:
    """A double click or a retried POST: the same voice on the same bytes is already recorded."""
    return request.decisions.filter(
        person_id=by.user_id, verdict=verdict, revision=voice.revision, digest=voice.digest
    ).exists()


def refuse_unless_pending(request: ApprovalRequest) -> None:
    """Raises Stale for what nobody can sign now."""
    if request.status == RequestStatus.SENT_BACK:
        raise Stale("It was sent back with a question. Nothing was recorded; it comes back with the answer.")
    if request.status != RequestStatus.PENDING:
        raise Stale(f"This request is already {request.status}. Nothing was recorded.")


def refuse_unless_waiting(
    request: ApprovalRequest, by: Actor, *, digest: str, revision: int, verdict: Verdict | None = None
) -> None:
    """Whatever a reviewer does: it is theirs to do, still to be done, in time, over what they read, not held by others.

    Whoever has signed may still say no: they have a place of their own, whoever else holds one.
    """
    refuse_unless_eligible(request, by)
    refuse_unless_pending(request)
    refuse_changed(request, digest, revision)
    refuse_too_late(request)
    if verdict == Verdict.REJECT and has_voice(request, by):
        return
    refuse_second_voice(request, by)
    refuse_while_held(request, by)


def refuse_unless_open(request: ApprovalRequest, by: Actor, voice: Voice, verdict: Verdict) -> None:
    refuse_unless_waiting(request, by, digest=voice.digest, revision=voice.revision, verdict=verdict)
    _refuse_unread(request, voice, verdict)
    refuse_unfit_reason(request, verdict, voice.reason_code, voice.note)
    refuse_unanswered(request, verdict, voice.answers)


def _refuse_unread(request: ApprovalRequest, voice: Voice, verdict: Verdict) -> None:
    """A signature counts for what was read: the page as it is now, whole, and where two people sign every part of it.

    Refusing is possible at once: nobody has to read on through what they already know to be wrong.
    """
    refuse_another_page(request, voice)
    if verdict == Verdict.APPROVE:
        showing.refuse_hidden(request)
        showing.refuse_unread(request, voice.viewed)
        showing.refuse_miscopied(request, voice.critical)


def refuse_changed(request: ApprovalRequest, digest: str, revision: int) -> None:
    if (request.digest, request.revision) != (digest, revision):
        raise Changed("The action changed after you opened it. Nothing was recorded; please read it again.")


def refuse_another_page(request: ApprovalRequest, voice: Voice) -> None:
    """The page they had open says what it says now."""
    if str(voice.viewed.get("view", "")) not in {"", showing.view_digest(request)}:
        raise Changed("What the page says has changed since you opened it. Nothing was recorded; please read it again.")


def refuse_too_late(request: ApprovalRequest) -> None:
    """By the database's clock, and only where silence ends it; a clock that stands still ends nothing."""
    runs_out = request.frozen_at is None and request.on_timeout == OnTimeout.REJECT
    if runs_out and lifecycle.database_now() >= request.decide_by:
        raise TooLate("The time to decide on this request is over. Nothing was recorded.")


def record(
    request: ApprovalRequest,
    by: Actor,
    verdict: str,
    voice: Voice,
    right: Right,
    *,
    result: dict[str, Any] | None = None,
) -> None:
    """Store it, by the right it was given with, confirmed where that is asked; signing uses one's claim up."""
    lent = right.delegation
    confirmation = refuse_unconfirmed(request, by, voice.confirmation)
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
        answers=dict(voice.answers),
        result=result,
        confirmation=confirmation,
    )
    let_go(request.claims.open().filter(person_id=by.user_id))
    told = _told(voice, lent, confirmation)
    if result is not None:
        # The trail says which result it was, never what is in it.
        told["data"]["result_digest"] = digest_text(canonical(result))
    lifecycle.note(request, f"approval_request.signed_{verdict}", by=by, **told)


def _told(voice: Voice, lent: Delegation | None, confirmation: Confirmation | None) -> dict[str, Any]:
    """What the trail says of a signature: over what, by whose right, and how it was confirmed."""
    said = {"digest": voice.digest, "revision": voice.revision, "reason_code": voice.reason_code}
    said["view"] = str(voice.viewed.get("view", ""))
    why = []
    if lent is not None:
        said |= {"for": f"user:{lent.delegator_id}", "delegation": str(lent.pk)}
        why.append(f"for {lent.delegator_name}, who delegated it")
    if confirmation is not None:
        said |= {"factor": confirmation.kind, "confirmation": str(confirmation.pk)}
        said["confirmed_at"] = confirmation.at.isoformat()
        why.append(f"confirmed with {confirmation} at {confirmation.at:%H:%M:%S} UTC")
    return {"why": "; ".join(why), "data": said}
