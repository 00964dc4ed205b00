"""What follows from each way a request can end, in words and with the moment it happens at: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals.models import ApprovalRequest
from approvals.signers import Standing, silence_of


@dataclass(frozen=True, slots=True)
class Consequence:
    """What happens on one of the three ways this can end, with the moment it happens at."""

    act: str
    says: str
    at: datetime | None = None
    then: str = ""


def consequences_of(request: ApprovalRequest, stands: Standing, now: datetime) -> list[Consequence]:
    left = request.required - stands.given
    window = _span(request.use_within_seconds)
    if left <= 1:
        release = "The last signature releases the act" if request.required > 1 else "The act is released"
        says = f"{release} at once: exactly these bytes, once, if it is carried out within {window}, until"
        approve = Consequence("If you approve", says, now + timedelta(seconds=request.use_within_seconds))
    else:
        says = f"Yours is one of {request.required} signatures; still needed: {stands.missing}. Nothing happens until all are in."
        approve = Consequence("If you approve", says)
    reject = Consequence(
        "If you reject", "The act is refused for good, whatever others said. The agent is told your reason and note."
    )
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
