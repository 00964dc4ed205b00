"""Break-glass: in an emergency one reviewer signs alone where two must. It skips waiting, never the record.

Everybody who may review there, and the unit's administrators, are told; and a second person has to look at it afterwards.
"""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from approvals import operations
from approvals.authentication import step_up
from approvals.models import ApprovalRequest, BreakGlass, Claim, Confirmation, NoticeKind
from approvals.models.emergency import SHORTEST_REASON
from approvals.notifying import notices
from approvals.operations import Voice
from approvals.operations.voices import refuse_changed, refuse_unless_pending
from approvals.rules.eligible import Answer, asked
from approvals.rules.holds import let_go
from approvals.rules.locks import lock_request
from approvals.rules.permissions import person_id, refuse_unless_eligible
from approvals.rules.signers import Standing, standing
from approvals.rules.standing import right_of
from approvals.rules.stopped import refuse_stopped
from approvals.statuses import BreakGlassStatus
from audit import lifecycle, people
from audit.actors import Actor
from audit.lifecycle import move
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden, Invalid, Refusal, Stale

SHORTEST_NOTE = 10


class NoEmergency(Refusal):
    """Nothing would be gained: one signature is enough, or yours completes it anyway."""

    code = "no_emergency"


class OwnEmergency(Forbidden):
    """Whoever broke the glass does not judge whether that was right."""

    code = "own_emergency"


@transaction.atomic
def break_glass(*, request_id: UUID, by: Actor, voice: Voice, reason: str) -> ApprovalRequest:
    """Sign alone, now, with a reason. Everything else is asked as ever: eligible, not one's own, in time, not stopped.

    Others' claims do not keep an emergency waiting: they end. A right that was lent does not reach this far. Breaking it
    again over the same bytes is a repeated POST and changes nothing.

    Raises NoEmergency, Invalid, and whatever `approve` raises.
    """
    request = lock_request(request_id, by)
    if broken_before(request, by, voice):
        return request
    refuse_breaking(request, by)
    if len(reason.strip()) < SHORTEST_REASON:
        message = f"Say in at least {SHORTEST_REASON} characters what cannot wait for a second person."
        raise Invalid("An emergency needs its reason.", errors=[("/reason", "too_short", message)])
    refuse_changed(request, voice.digest, voice.revision)
    has_signed = standing(request).has_signed(by)
    # Whoever signs with it confirms their signature; whoever has signed before confirms that they break the glass.
    confirmed = step_up.refuse_unconfirmed(request, by, voice.confirmation) if has_signed else None
    glass = _broken(request, by, reason.strip(), confirmed)
    passed_over = _pass_over_claims(request, by)
    # Before what follows from it: the trail tells why one signature was enough, then that it was.
    lifecycle.note(
        request,
        "approval_request.glass_broken",
        by=by,
        why=glass.reason,
        data={
            "emergency": str(glass.pk),
            "claims_ended": passed_over,
            "confirmation": str(confirmed.pk) if confirmed else "with the signature",
        },
    )
    if not has_signed:
        request = operations.approve(request_id=request_id, by=by, voice=voice)
    else:
        refuse_stopped(request)
        operations.refuse_too_late(request)
        operations.complete(request, by=by)
    notices.tell_of_request(NoticeKind.EMERGENCY, request, by=by)
    return request


def broken_before(request: ApprovalRequest, by: Actor, voice: Voice) -> bool:
    """Has this person signed alone over exactly this already? The answer to a double click, or to a reply that was lost."""
    made = request.emergencies.filter(person_id=by.user_id, digest=voice.digest, revision=voice.revision)
    return bool(made.exists())


def _pass_over_claims(request: ApprovalRequest, by: Actor) -> list[str]:
    """A claim is a place in the queue, and an emergency skips waiting: those of others end here, and the record says whose."""
    others = list(Claim.objects.running().filter(request=request).exclude(person_id=by.user_id))
    let_go(others)
    return [f"user:{claim.person_id}" for claim in others]


def _broken(request: ApprovalRequest, by: Actor, reason: str, confirmed: Confirmation | None) -> BreakGlass:
    glass = BreakGlass(
        request=request,
        unit_id=request.unit_id,
        digest=request.digest,
        revision=request.revision,
        person_id=person_id(by),
        person_name=by.name,
        reason=reason[:1000],
        confirmation=confirmed,
    )
    lifecycle.born(glass, by=by, why=glass.reason, data={"request": str(request.pk), "digest": request.digest})
    return glass


def refuse_breaking(request: ApprovalRequest, by: Actor, stands: Standing | None = None) -> None:
    """May this person sign alone on this? Raises Forbidden, Stale, NoEmergency."""
    if not settings.BREAK_GLASS:
        raise Forbidden("Break-glass is switched off in this installation.", code="break_glass_off")
    refuse_unless_eligible(request, by)
    if (right := right_of(request, by)) and right.delegation:
        raise Forbidden(
            f"You sign here for {right.signs_for}. Signing alone takes the reviewer role itself.",
            code="lent_right_only",
        )
    refuse_unless_pending(request)
    if request.required < 2 or (stands or standing(request)).is_full_with(by):
        raise NoEmergency("Your own signature is all it needs. Sign it as usual.")


def may_break(request: ApprovalRequest, by: Actor, stands: Standing) -> Answer:
    """For a page, which has counted the signatures already."""
    return asked(request, by, lambda request, by: refuse_breaking(request, by, stands))


@transaction.atomic
def look_afterwards(*, glass_id: UUID, by: Actor, justified: bool, note: str) -> BreakGlass:
    """A second person says whether it was right. It closes the open item; the act stays done. Saying the same again is once.

    Raises NotVisible, Forbidden, Invalid, Stale.
    """
    rows = BreakGlass.objects.visible_to(by).select_for_update().select_related("request")
    glass: BreakGlass = visible_or_refuse(rows, glass_id, "emergency")
    to = BreakGlassStatus.JUSTIFIED if justified else BreakGlassStatus.OBJECTED
    if (glass.status, glass.reviewed_by_id) == (to, by.user_id):
        return glass
    refuse_looking(glass, by)
    if len(note.strip()) < SHORTEST_NOTE:
        message = f"Say in at least {SHORTEST_NOTE} characters what you looked at."
        raise Invalid("Say what you looked at.", errors=[("/note", "too_short", message)])
    move(
        glass,
        to=to,
        by=by,
        why=note.strip()[:1000],
        reviewed_by_id=by.user_id,
        reviewed_by_name=by.name,
        reviewed_at=Now(),
        note=note.strip()[:1000],
    )
    return glass


def refuse_looking(glass: BreakGlass, by: Actor) -> None:
    if glass.person_id in people.accounts_behind(by):
        raise OwnEmergency("You broke the glass, so somebody else has to look at it.")
    refuse_unless_eligible(glass.request, by)
    if not glass.is_open:
        raise Stale("Somebody has already looked at it.")


def may_look(glass: BreakGlass, by: Actor) -> bool:
    try:
        refuse_looking(glass, by)
    except Refusal:
        return False
    return True
