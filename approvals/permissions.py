"""May this person decide on this request? One rule in two shapes: refuse_... raises, may(...) asks for the page."""

from collections.abc import Callable
from dataclasses import dataclass

from approvals.holds import refuse_while_held
from approvals.models import ApprovalRequest
from audit import scope
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
    if request.unit_id not in scope.unit_ids(by, "review"):
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
    if request.decisions.filter(person_id=by.user_id, revision=request.revision).exists():
        raise AlreadySigned("You have already signed this request. The other signature must be another person's.")


@dataclass(frozen=True, slots=True)
class Answer:
    """For a page: is the button live, and if not, why?"""

    allowed: bool
    why: str = ""


def may_decide(request: ApprovalRequest, by: Actor) -> Answer:
    """Is the button live now? Others' claims count."""
    return _asked(request, by, refuse_unless_reviewer, refuse_own, refuse_second_voice, refuse_while_held)


def may_sign_at_all(request: ApprovalRequest, by: Actor) -> Answer:
    """Whoever holds it meanwhile: could this person's signature count?"""
    return _asked(request, by, refuse_unless_reviewer, refuse_own, refuse_second_voice)


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


def still_counts(request: ApprovalRequest, user_id: int, is_active: bool) -> bool:
    """Asked again at dispatch: a disabled or no longer permitted reviewer's signature has stopped counting."""
    voter = Actor(key=f"user:{user_id}", name="", kind="person", user_id=user_id)
    return is_active and may_decide_ignoring_voice(request, voter)


def may_decide_ignoring_voice(request: ApprovalRequest, by: Actor) -> bool:
    try:
        refuse_unless_reviewer(request, by)
        refuse_own(request, by)
    except Refusal:
        return False
    return True
