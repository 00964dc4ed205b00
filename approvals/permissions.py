"""May this person decide on this request? One rule in two shapes: refuse_... raises, may(...) asks for the page."""

from collections.abc import Iterable
from dataclasses import dataclass

from approvals.models import ApprovalRequest, Decision
from audit import people, scope
from audit.actors import Actor
from audit.refusals import Forbidden, Refusal


class OwnRequest(Forbidden):
    """Separation of duties: whoever asked, owns the agent that asked, or edited what is involved, cannot sign."""

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


def keys_of(by: Actor) -> list[str]:
    """The keys of all accounts of this person, their own first."""
    return [by.key, *(f"user:{pk}" for pk in sorted(people.accounts_behind(by)) if pk != by.user_id)]


def refuse_own(request: ApprovalRequest, by: Actor) -> None:
    """Whoever asked, owns, or last had a hand in what is decided on, under whichever account."""
    for key in keys_of(by):
        under = "" if key == by.key else " under another account of yours"
        if key == request.requester:
            raise OwnRequest(f"You asked for this action{under}, so somebody else has to decide on it.")
        if key in request.excluded:
            duty = request.duties.get(key, "own the agent or the workflow behind this action")
            raise OwnRequest(f"You {duty}{under}, so somebody else has to decide on it.")


def refuse_second_voice(request: ApprovalRequest, by: Actor) -> None:
    accounts = people.accounts_behind(by)
    signed = set(
        request.decisions.filter(person_id__in=accounts, revision=request.revision).values_list("person_id", flat=True)
    )
    if by.user_id in signed:
        raise AlreadySigned("You have already signed this request. The other signature must be another person's.")
    if signed:
        raise AlreadySigned("You have already signed this request under another account of yours.")


def told(request: ApprovalRequest, voices: Iterable[Decision], reader: Actor) -> bool:
    """Whether this reader learns who signed and why: while it is open, only somebody who has signed it, too."""
    signers = {voice.person_id for voice in voices if voice.revision == request.revision}
    return not request.is_open or bool(signers and signers & people.accounts_behind(reader))


def refuse_unless_answerer(request: ApprovalRequest, by: Actor) -> None:
    """The agent whose act it is, whoever asked for it, and the unit's operators."""
    if by.key == request.requester or (by.kind == "agent" and by.name == request.agent):
        return
    if by.is_person and request.unit_id in scope.unit_ids(by, "operate"):
        return
    raise Forbidden(
        f"The question is for whoever asked, or an operator of {request.unit_title}.", code="not_asked",
        remedy="Ask an administrator of that unit for the operator role.",
    )  # fmt: skip


def may_reply(request: ApprovalRequest, by: Actor) -> bool:
    try:
        refuse_unless_answerer(request, by)
    except Refusal:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Answer:
    """For a page: is the button live, and if not, why?"""

    allowed: bool
    why: str = ""


def may_decide(request: ApprovalRequest, by: Actor) -> Answer:
    try:
        refuse_unless_reviewer(request, by)
        refuse_own(request, by)
        refuse_second_voice(request, by)
    except Refusal as refusal:
        return Answer(allowed=False, why=refusal.message)
    return Answer(allowed=True)


def voter(user_id: int) -> Actor:
    """Somebody who has signed, for one judgement: what is asked about them is looked up once, then forgotten."""
    return Actor(key=f"user:{user_id}", name="", kind="person", user_id=user_id, answers={})


def still_counts(request: ApprovalRequest, by: Actor, is_active: bool) -> bool:
    """Asked again at dispatch: a disabled or no longer permitted reviewer's signature has stopped counting."""
    return is_active and may_decide_ignoring_voice(request, by)


def may_decide_ignoring_voice(request: ApprovalRequest, by: Actor) -> bool:
    try:
        refuse_unless_reviewer(request, by)
        refuse_own(request, by)
    except Refusal:
        return False
    return True
