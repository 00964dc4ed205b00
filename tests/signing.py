"""What a careful reviewer's browser or program sends: every part opened, and the critical value as it stands in the act."""

from approvals import showing
from approvals.models import ApprovalRequest
from approvals.operations import Voice


def voice(request: ApprovalRequest, reason_code: str = "evidence_checked", note: str = "", **more: object) -> Voice:
    """A voice over exactly what waits now."""
    value = showing.critical_value(request)
    said = {
        "digest": request.digest, "revision": request.revision, "reason_code": reason_code, "note": note,
        "viewed": {"sections": list(showing.SECTIONS), "view": showing.view_digest(request)},
        "critical": value.text if value else "",
        "answers": dict.fromkeys(request.checks, True),
    }  # fmt: skip
    return Voice(**(said | more))
