"""Is a place left for this person's signature? A claim holds one open signature, never the whole request."""

from collections.abc import Iterable
from datetime import UTC

from approvals.models import ApprovalRequest, Claim
from approvals.rules.signers import standing
from audit import lifecycle
from audit.actors import Actor
from audit.refusals import Refusal


class Held(Refusal):
    """Every signature still open is being given by somebody else."""

    code = "held"


def refuse_while_held(request: ApprovalRequest, by: Actor) -> None:
    """Refused while others hold every open signature; of two, one claim leaves the other place free.

    Whoever holds a running claim has a place of their own.
    """
    holders = list(Claim.objects.running().filter(request=request).order_by("held_until"))
    if not holders or any(claim.person_id == by.user_id for claim in holders) or len(holders) < open_places(request):
        return
    until = "; ".join(f"{claim.person_name} until {claim.held_until.astimezone(UTC):%H:%M:%S} UTC" for claim in holders)
    raise Held(
        f"This request is held by {until}.",
        remedy="Wait until the claim is released or lapses; then it can be taken over.",
    )


def open_places(request: ApprovalRequest) -> int:
    """Seats that no signature fills yet that counts."""
    return max(request.required - standing(request).given, 1)


def give_up(request: ApprovalRequest, by: Actor, *, why: str) -> None:
    """End this person's own claim, if there is one, and say so in the history while it still held anything."""
    mine = list(request.claims.open().filter(person_id=by.user_id))
    let_go(mine)
    now = lifecycle.database_now()
    for claim in mine:
        if claim.held_until > now:
            lifecycle.note(request, "approval_request.released", by=by, why=why, data={"claim": str(claim.pk)})


def let_go(claims: Iterable[Claim]) -> None:
    """End these claims now."""
    Claim.objects.filter(pk__in=[claim.pk for claim in claims]).update(ended_at=lifecycle.database_now())
