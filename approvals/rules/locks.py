"""The row that orders everything that happens to one request."""

from uuid import UUID

from approvals.models import ApprovalRequest
from audit.actors import Actor
from audit.queries import visible_or_refuse


def lock_request(request_id: UUID, by: Actor) -> ApprovalRequest:
    """The request, locked until the transaction ends. What the actor may not see is not there."""
    rows = ApprovalRequest.objects.visible_to(by).select_for_update()
    return visible_or_refuse(rows, request_id, "approval request")  # type: ignore[no-any-return]
