"""Whose voice may be heard on a request? Each rule raises the refusal that says why not."""

from collections.abc import Iterable
from datetime import datetime

from approvals.models import ApprovalRequest, Decision, Delegation
from approvals.rules.standing import lender_is_eligible, refuse_stand_in, right_of
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
    if right_of(request, by) is None:
        refuse_stand_in(request, by)  # says more exactly why a right that was lent does not reach here
        raise Forbidden(
            f"You need the reviewer role in {request.unit_title} to decide here. Ask an administrator of that unit.",
            code="not_a_reviewer",
        )


def refuse_unless_eligible(request: ApprovalRequest, by: Actor) -> None:
    """A reviewer with no hand in it, who stands in for nobody that has one or has signed: asked of all a reviewer does."""
    refuse_unless_reviewer(request, by)
    refuse_own(request, by)
    refuse_stand_in(request, by)


def refuse_own(request: ApprovalRequest, by: Actor) -> None:
    """Whoever asked, owns, or last had a hand in what is decided on, under whichever account."""
    for key in people.keys_of(by):
        under = "" if key == by.key else " under another account of yours"
        if key == request.requester:
            raise OwnRequest(f"You asked for this action{under}, so somebody else has to decide on it.")
        if key in request.excluded:
            duty = request.duties.get(key, "own the agent or the workflow behind this action")
            raise OwnRequest(f"You {duty}{under}, so somebody else has to decide on it.")


def refuse_second_voice(request: ApprovalRequest, by: Actor) -> None:
    """One person is one signature: under whichever account, and whether they held the pen or it was signed for them."""
    accounts = people.accounts_behind(by)
    voices = [voice for voice in request.decisions.all() if voice.revision == request.revision]
    signed = {voice.person_id for voice in voices} & accounts
    if by.user_id in signed:
        raise AlreadySigned("You have already signed this request. The other signature must be another person's.")
    if signed:
        raise AlreadySigned("You have already signed this request under another account of yours.")
    if lent := next((voice for voice in voices if voice.for_person_id in accounts), None):
        raise AlreadySigned(
            f"{lent.person_name} has signed this request for you. The other signature must be another's."
        )


def has_voice(request: ApprovalRequest, by: Actor) -> bool:
    """Have they signed what waits now, themselves or by whoever signed for them?"""
    try:
        refuse_second_voice(request, by)
    except AlreadySigned:
        return True
    return False


def told(request: ApprovalRequest, voices: Iterable[Decision], reader: Actor) -> bool:
    """Whether this reader learns who signed and why: while it is open, only somebody who has signed it, too."""
    signers = {
        pk for voice in voices if voice.revision == request.revision for pk in (voice.person_id, voice.for_person_id)
    }
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


def voter(user_id: int) -> Actor:
    """Somebody who has signed, for one judgement: what is asked about them is looked up once, then forgotten."""
    return Actor(key=f"user:{user_id}", name="", kind="person", user_id=user_id, answers={})


def still_counts(request: ApprovalRequest, voice: Decision, pen: Actor, also_excluded: frozenset[str]) -> bool:
    """Asked again at dispatch: a disabled or no longer permitted reviewer's signature has stopped counting.

    One given with a lent right counts as long as its lender could sign; that the delegation has ended since is no matter,
    because it ran when the person signed. Duties, and the keys in `also_excluded`, are asked of both persons.
    """
    if not voice.person.is_active or not _has_no_duty(request, pen, also_excluded):
        return False
    if voice.delegation is None:
        return request.unit_id in scope.unit_ids(pen, "review")
    return _ran_at(voice.delegation, voice.at) and lender_is_eligible(request, voice.delegation, also_excluded)


def _has_no_duty(request: ApprovalRequest, by: Actor, also_excluded: frozenset[str]) -> bool:
    try:
        refuse_own(request, by)
    except OwnRequest:
        return False
    return also_excluded.isdisjoint(people.keys_of(by))


def _ran_at(lent: Delegation, moment: datetime) -> bool:
    return lent.starts_at <= moment < min(lent.ends_at, lent.revoked_at or lent.ends_at)


def person_id(by: Actor) -> int:
    if by.user_id is None:
        raise TypeError("only a person has a voice")
    return by.user_id
