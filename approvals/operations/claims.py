"""Taking a request in hand, keeping it, giving it back, taking over what lapsed. Under the request's lock, one at a time."""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from approvals.models import ApprovalRequest, Claim
from approvals.rules.holds import let_go, refuse_while_held
from approvals.rules.locks import lock_request
from approvals.rules.permissions import person_id, refuse_second_voice, refuse_unless_eligible
from approvals.rules.signers import refuse_unless_needed
from audit import lifecycle, rounds
from audit.actors import Actor
from audit.refusals import Refusal, Stale


class NotHeld(Refusal):
    """There is no running claim of this person to keep or to give back."""

    code = "not_held"


@transaction.atomic
def claim(*, request_id: UUID, by: Actor) -> Claim:
    """Hold the place of one open signature until a claim's time is over. Claimed again, it starts anew.

    What others let lapse is ended here, and the record says from whom it was taken over.
    """
    request = lock_request(request_id, by)
    _refuse_unless_signable(request, by)
    now = lifecycle.database_now()
    mine = _running(request, by, now)
    if mine is not None:
        return _extend(request, mine, by, now)
    refuse_while_held(request, by)
    lapsed = list(Claim.objects.open().filter(request=request, held_until__lte=now))
    let_go(lapsed)
    taken = Claim.objects.create(
        request=request, person_id=person_id(by), person_name=by.name, claimed_at=now, held_until=_until(now)
    )
    others = [old.person_name for old in lapsed if old.person_id != by.user_id]
    _note(request, "taken_over" if others else "claimed", taken, by, f"lapsed: {', '.join(others)}" if others else "")
    return taken


@transaction.atomic
def renew(*, request_id: UUID, by: Actor) -> Claim:
    """Go on holding it, while one reads. A claim that lapsed is not renewed: it is claimed again, if nobody else has.

    Nor is that of somebody who may not sign any more: they would keep everybody else from it.
    """
    request = lock_request(request_id, by)
    refuse_unless_eligible(request, by)
    now = lifecycle.database_now()
    mine = _running(request, by, now)
    if mine is None or not request.is_open:
        raise NotHeld("You no longer hold this request: your claim has lapsed or was released.")
    return _extend(request, mine, by, now)


@transaction.atomic
def release(*, request_id: UUID, by: Actor) -> ApprovalRequest:
    """Give one's own claim back before it lapses."""
    request = lock_request(request_id, by)
    mine = list(Claim.objects.open().filter(request=request, person_id=by.user_id))
    if not mine:
        raise NotHeld("You do not hold this request, so there is nothing to release.")
    let_go(mine)
    _note(request, "released", mine[0], by)
    return request


def note_lapsed(*, by: Actor, limit: int = 500) -> int:
    """Leave a line in the history of every request whose claim has run out, once. The place was free already."""
    return rounds.each(rounds.due(_lapsed, limit), partial(_note_lapse, by))


def _lapsed() -> QuerySet[Claim]:
    return Claim.objects.newly_lapsed().order_by("held_until")


@transaction.atomic
def _note_lapse(by: Actor, claim_id: UUID) -> bool:
    """In the order of every verb: the request first. Whoever holds it at this moment keeps nobody waiting."""
    request = ApprovalRequest.objects.select_for_update(skip_locked=True, of=("self",)).filter(claims=claim_id).first()
    if request is None or not Claim.objects.newly_lapsed().filter(pk=claim_id).update(lapsed_at=Now()):
        return False
    if request.is_open:
        claim = Claim.objects.get(pk=claim_id)
        _note(request, "claim_lapsed", claim, by, f"{claim.person_name} held it")
    return True


def _refuse_unless_signable(request: ApprovalRequest, by: Actor) -> None:
    refuse_unless_eligible(request, by)
    if not request.is_open:
        raise Stale(f"This request is already {request.status}. Nothing is left to claim.")
    if not request.is_pending:
        raise Stale("It was sent back with a question. There is nothing to claim until the answer is there.")
    refuse_second_voice(request, by)
    refuse_unless_needed(request, by)


def _running(request: ApprovalRequest, by: Actor, now: datetime) -> Claim | None:
    return Claim.objects.open().filter(request=request, person_id=by.user_id, held_until__gt=now).first()


def _extend(request: ApprovalRequest, mine: Claim, by: Actor, now: datetime) -> Claim:
    # Never shorter: after a clock that was set back, it would end before it began.
    mine.held_until = max(mine.held_until, _until(now))
    mine.save(update_fields=["held_until"])
    _note(request, "claim_renewed", mine, by)
    return mine


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.CLAIM_SECONDS)


def _note(request: ApprovalRequest, what: str, claim: Claim, by: Actor, why: str = "") -> None:
    data = {"claim": str(claim.pk), "held_until": claim.held_until.isoformat()}
    lifecycle.note(request, f"approval_request.{what}", by=by, why=why, data=data)
