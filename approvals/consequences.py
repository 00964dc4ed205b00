"""What follows from each way a request can end, in words and with the moment it happens at. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals.models import ApprovalRequest, OnTimeout


@dataclass(frozen=True, slots=True)
class Consequence:
    """What happens on one of the three ways this can end, with the moment it happens at."""

    act: str
    says: str
    at: datetime | None = None
    then: str = ""


def consequences_of(request: ApprovalRequest, given: int, now: datetime) -> list[Consequence]:
    left = request.required - given
    window = _span(request.use_within_seconds)
    if left <= 1:
        release = "The last signature releases the act" if request.required > 1 else "The act is released"
        says = f"{release} at once: exactly these bytes, once, if it is carried out within {window}, until"
        approve = Consequence("If you approve", says, now + timedelta(seconds=request.use_within_seconds))
    else:
        approve = Consequence(
            "If you approve", "Yours is the first of two signatures. Nothing happens until another person signs too."
        )
    reject = Consequence(
        "If you reject", "The act is refused for good, whatever others said. The agent is told your reason and note."
    )
    if request.on_timeout == OnTimeout.REJECT:
        silence = Consequence(
            "If nobody decides", "The act is refused at", request.decide_by, "Silence never approves."
        )
    else:
        silence = Consequence("If nobody decides", "It stays here, marked overdue after", request.decide_by,
                              "Silence never approves.")  # fmt: skip
    return [approve, reject, silence]


def _span(seconds: int) -> str:
    if seconds % 3600 == 0:
        hours = seconds // 3600
        return f"{hours} hour{'s' if hours > 1 else ''}"
    if seconds >= 60:
        return f"{seconds // 60} minutes"
    return f"{seconds} seconds"
