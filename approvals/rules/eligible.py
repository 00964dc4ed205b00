"""May this person decide? The rules of the verbs, asked for a page: is the button live, and if not, why?"""

from collections.abc import Callable
from dataclasses import dataclass

from approvals.models import ApprovalRequest
from approvals.rules.holds import refuse_while_held
from approvals.rules.permissions import has_voice, refuse_second_voice, refuse_unless_eligible
from approvals.rules.signers import refuse_unless_needed
from audit.actors import Actor
from audit.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Answer:
    """For a page: is the button live, and if not, why?"""

    allowed: bool
    why: str = ""


def may_decide(request: ApprovalRequest, by: Actor) -> Answer:
    """Is the button live now? Others' claims count."""
    return asked(request, by, refuse_unless_eligible, refuse_second_voice, refuse_while_held)


def may_reject_still(request: ApprovalRequest, by: Actor) -> bool:
    """Have they signed, and could they take back more than their word: end what waits for others?"""
    return has_voice(request, by) and asked(request, by, refuse_unless_eligible).allowed


def may_sign_at_all(request: ApprovalRequest, by: Actor) -> Answer:
    """Whoever holds it meanwhile: could this person's signature count?"""
    return asked(request, by, refuse_unless_eligible, refuse_second_voice, refuse_unless_needed)


def asked(request: ApprovalRequest, by: Actor, *rules: Callable[[ApprovalRequest, Actor], object]) -> Answer:
    try:
        for refuse in rules:
            refuse(request, by)
    except Refusal as refusal:
        return Answer(allowed=False, why=refusal.message)
    return Answer(allowed=True)
