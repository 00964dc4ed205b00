"""May this person decide on this request? One rule in two shapes: refuse_... raises, may(...) asks for the page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from approvals.holds import refuse_while_held
from approvals.models import ApprovalRequest, Decision, Delegation
from approvals.standing import lender_is_eligible, refuse_stand_in, right_of
from audit import actors, scope
from audit.actors import Actor
from audit.refusals import Forbidden, Refusal


class OwnRequest(Forbidden):
    """Separation of duties: whoever asked, or owns the agent that asked, cannot sign."""

    code = "own_request"


class AlreadySigned(Refusal):
    """Two signatures mean two people."""

    code = "already_signed"


def refuse_unless_reviewer(request: ApprovalRequest, by: Actor) -> None:
    if not by.is_person:
        raise Forbidden("Only people decide. An agent or a token cannot approve or reject.", code="people_only")
    if right_of(request, by) is None:
        refuse_stand_in(request, by)  # says more exactly why a right that was lent does not reach here
        raise Forbidden(
            f"You need the reviewer role in {request.unit_title} to decide here. Ask an administrator of that unit.",
            code="not_a_reviewer",
        )


def refuse_own(request: ApprovalRequest, by: Actor) -> None:
    if by.key == request.requester:
        raise OwnRequest("You asked for this action, so somebody else has to decide on it.")
    if by.key in request.excluded:
        raise OwnRequest("You own the agent or the workflow behind this action, so somebody else has to decide on it.")


def refuse_second_voice(request: ApprovalRequest, by: Actor) -> None:
    voices = request.decisions.filter(revision=request.revision)
    if voices.filter(person_id=by.user_id).exists():
        raise AlreadySigned("You have already signed this request. The other signature must be another person's.")
    if lent := voices.filter(for_person_id=by.user_id).first():
        raise AlreadySigned(
            f"{lent.person_name} has signed this request for you. The other signature must be another's."
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """For a page: is the button live, and if not, why?"""

    allowed: bool
    why: str = ""


def may_decide(request: ApprovalRequest, by: Actor) -> Answer:
    """Is the button live now? Others' claims count."""
    return _asked(
        request, by, refuse_unless_reviewer, refuse_own, refuse_stand_in, refuse_second_voice, refuse_while_held
    )


def may_sign_at_all(request: ApprovalRequest, by: Actor) -> Answer:
    """Whoever holds it meanwhile: could this person's signature count?"""
    return _asked(request, by, refuse_unless_reviewer, refuse_own, refuse_stand_in, refuse_second_voice)


def _asked(request: ApprovalRequest, by: Actor, *rules: Callable[[ApprovalRequest, Actor], None]) -> Answer:
    try:
        for refuse in rules:
            refuse(request, by)
    except Refusal as refusal:
        return Answer(allowed=False, why=refusal.message)
    return Answer(allowed=True)


def person_id(by: Actor) -> int:
    if by.user_id is None:
        raise TypeError("only a person has a voice")
    return by.user_id


def still_counts(request: ApprovalRequest, voice: Decision) -> bool:
    """Asked again at dispatch: a disabled or no longer permitted reviewer's signature has stopped counting.

    One given with a lent right counts as long as its lender could sign; that the delegation has ended since is no matter,
    because it ran when the person signed.
    """
    voter = actors.person(voice.person_id, voice.person_name)
    if not voice.person.is_active or _asked(request, voter, refuse_own).why:
        return False
    if voice.delegation is None:
        return request.unit_id in scope.unit_ids(voter, "review")
    return _ran_at(voice.delegation, voice.at) and lender_is_eligible(request, voice.delegation)


def _ran_at(lent: Delegation, moment: datetime) -> bool:
    return lent.starts_at <= moment < min(lent.ends_at, lent.revoked_at or lent.ends_at)
