"""The row that orders everything that happens to one request."""

from uuid import UUID

from approvals.models import ApprovalRequest
from audit import scope
from audit.actors import Actor
from audit.refusals import NotVisible


def lock_request(request_id: UUID, by: Actor) -> ApprovalRequest:
    """The request, locked until the transaction ends. What the actor may not see is not there."""
    request: ApprovalRequest | None = ApprovalRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None or request.unit_id not in scope.unit_ids(by, "view"):
        raise NotVisible("There is no such approval request.")
    return request
