"""What follows from each way a request can end, in words, with the moment it happens at."""

from dataclasses import dataclass
from datetime import datetime

from approvals.models import ApprovalRequest
from approvals.signers import Standing, silence_of


@dataclass(frozen=True, slots=True)
class Consequence:
    """What happens on one of the three ways this can end, with the moment it happens at."""

    act: str
    says: str
    at: datetime | None = None
    then: str = ""


def consequences_of(request: ApprovalRequest, stands: Standing) -> list[Consequence]:
    # A request without an agent is about a step of a workflow: no act waits, the execution does.
    left = request.required - stands.given
    window = _span(request.use_within_seconds)
    if request.is_by_hand:
        says = "Do the step first, then give its result: the execution goes on with it at once, as if the step had given it."
        approve = Consequence("If you do it by hand", says)
    elif left <= 1 and not request.agent:
        approve = Consequence("If you approve", "The execution goes on at once.")
    elif left <= 1:
        release = "The last signature releases the act" if request.required > 1 else "The act is released"
        says = f"{release} at once: exactly these bytes, once, if it is carried out within {window} of the signature."
        approve = Consequence("If you approve", says)
    else:
        says = f"Yours is one of {request.required} signatures; still needed: {stands.missing}. Nothing happens until all are in."
        approve = Consequence("If you approve", says)
    refused = "Your no is final, whatever others said."
    goes_on = (
        "The agent is told your reason and note, and goes on without it."
        if request.agent
        else "The execution goes no further here: it ends, or takes the other way its workflow names."
    )
    reject = Consequence("If you reject", f"{refused} {goes_on}")
    return [approve, reject, _silence(request)]


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
