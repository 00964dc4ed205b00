"""What follows from each way a request can end, in words, with the moment it happens at."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from approvals.models import ApprovalRequest
from approvals.rules.signers import Standing, silence_of
from approvals.statuses import RequestStatus

_Obstacle = Callable[[ApprovalRequest], str]
_obstacles: list[_Obstacle] = []


def answer_with(obstacle: _Obstacle) -> None:
    """Register who knows why an act could not be carried out although it is approved: (request) -> a sentence, or ""."""
    _obstacles[:] = [obstacle]


@dataclass(frozen=True, slots=True)
class Consequence:
    """What happens on one of the three ways this can end, with the moment it happens at."""

    act: str
    says: str
    at: datetime | None = None
    then: str = ""


def consequences_of(request: ApprovalRequest, stands: Standing, *, signed: bool, decides: bool) -> list[Consequence]:
    """`signed`: the reader has signed what waits now; `decides`: they may. Whoever does neither reads of others."""
    if not request.is_open:
        return _of_the_end(request)
    if not request.is_pending:
        says = (
            "It waits for the answer: from the agent, from whoever asked, or from an operator of "
            f"{request.unit_title}. With it, it comes back to the reviewers; until then nobody decides."
        )
        return [Consequence("What happens next", says), _silence(request)]
    if signed:
        says = f"It waits for {stands.missing}. {_released(request, stands.missing)}"
        return [Consequence("What happens next", says), _refused("If one of you rejects", request), _silence(request)]
    refused = _refused("If you reject" if decides else "If it is rejected", request)
    return [_approved(request, stands, decides), refused, _silence(request)]


def _of_the_end(request: ApprovalRequest) -> list[Consequence]:
    """Of what somebody decided; of a test item nothing follows, and what ran out or was withdrawn says so itself."""
    act = "Now"
    if request.is_test:
        return []
    match request.status:
        case RequestStatus.APPROVED | RequestStatus.USED if not (
            request.is_call and request.status == RequestStatus.USED
        ):
            return [Consequence(act, _released(request))]
        case RequestStatus.REJECTED:
            return [_refused(act, request)]
        case RequestStatus.ANSWERED if request.is_call:
            return [
                Consequence(
                    act, "Whoever asked has the result that was given, and goes on with it. Nothing is carried out."
                )
            ]
        case RequestStatus.ANSWERED:
            return [Consequence(act, "The execution goes on with the result that was given.")]
    return []


def _approved(request: ApprovalRequest, stands: Standing, decides: bool) -> Consequence:
    if request.is_by_hand:
        says = "Do the step first, then give its result: the execution goes on with it at once, as if the step had given it."
        return Consequence("If you do it by hand" if decides else "If it is done by hand", says)
    act = "If you approve" if decides else "If it is approved"
    if request.required - stands.given <= 1:
        return Consequence(act, _released(request))
    yours = f"Yours is one of {request.required} signatures" if decides else f"It takes {request.required} signatures"
    says = f"{yours}; still needed: {stands.missing}. Nothing happens until all are in."
    return Consequence(act, f"{says} {_in_the_way(request)}".strip())


def _released(request: ApprovalRequest, missing: str = "") -> str:
    # A request without an agent is about a step of a workflow: no act waits, the execution does.
    if not request.agent:
        return "With that, the execution goes on at once." if missing else "The execution goes on at once."
    if in_the_way := _in_the_way(request):
        return in_the_way
    release = "The last signature releases the act" if request.required > 1 else "The act is released"
    window = _span(request.use_within_seconds)
    return f"{release} at once: exactly these bytes, once, if it is carried out within {window} of the signature."


def _in_the_way(request: ApprovalRequest) -> str:
    """What changed since it was asked, so that the gate would refuse the act whoever signs it."""
    obstacle = _obstacles[0](request) if _obstacles and request.status != RequestStatus.USED else ""
    return f"As things stand, nothing would be carried out: {obstacle} The approval would be void." if obstacle else ""


def _refused(act: str, request: ApprovalRequest) -> Consequence:
    goes_on = (
        "The agent is told the reason and note, and goes on without it."
        if request.agent
        else "The execution goes no further here: it ends, or takes the other way its workflow names."
    )
    return Consequence(act, f"A no is final, whatever others said. {goes_on}")


def _silence(request: ApprovalRequest) -> Consequence:
    if request.is_frozen:
        says = (
            "Nothing, while the clocks stand still. The time that was left runs on when the stop is lifted. "
            "Silence never approves."
        )
        return Consequence("If nobody decides", says)
    counted = f"Counted in the hours of {request.calendar}. " if request.calendar else ""
    return Consequence("If nobody decides", silence_of(request), request.decide_by, f"{counted}Silence never approves.")


def _span(seconds: int) -> str:
    if seconds % 3600 == 0:
        hours = seconds // 3600
        return f"{hours} hour{'s' if hours > 1 else ''}"
    if seconds >= 60:
        return f"{seconds // 60} minutes"
    return f"{seconds} seconds"
