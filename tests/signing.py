"""What a careful reviewer's browser or program sends: every part opened, the critical value as it stands in the act, and where
it is asked for a second factor, used for exactly this.
"""

from approvals.models import ApprovalRequest
from approvals.operations import Voice
from approvals.rules import showing
from audit.actors import Actor
from tests.passkey import confirmed


def voice(
    request: ApprovalRequest,
    reason_code: str = "evidence_checked",
    note: str = "",
    *,
    by: Actor | None = None,
    **more: object,
) -> Voice:
    """A voice over exactly what waits now. `by` is who gives it, for acts that take their second factor."""
    value = showing.critical_value(request)
    factor = confirmed(request, by) if by else None
    said = {
        "digest": request.digest, "revision": request.revision, "reason_code": reason_code, "note": note,
        "viewed": {"sections": list(showing.SECTIONS), "view": showing.view_digest(request)},
        "critical": value.text if value else "",
        "answers": dict.fromkeys(request.checks, True),
        "confirmation": factor and factor.pk,
    }  # fmt: skip
    return Voice(**(said | more))
