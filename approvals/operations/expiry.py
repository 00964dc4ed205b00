"""What nobody decided or used in time ends. What is asked further instead is the ladder's (approvals.operations.escalation)."""

from functools import partial
from uuid import UUID

from django.db import transaction

from approvals.models import ApprovalRequest
from approvals.operations import clocks
from approvals.operations.ending import resolve
from approvals.statuses import RequestStatus
from audit import rounds
from audit.actors import Actor


def expire_overdue(*, by: Actor, limit: int = 500) -> int:
    """End what nobody decided or used in time. Each row in its own transaction, so one bad row delays no other."""
    overdue = rounds.due(ApprovalRequest.objects.overdue, limit)
    lapsed = rounds.due(ApprovalRequest.objects.lapsed, limit)
    return rounds.each([*overdue, *lapsed], partial(_expire, by))


@transaction.atomic
def _expire(by: Actor, request_id: UUID) -> bool:
    # A stop that was engaged a moment ago may not have reached this row yet.
    clocks.freeze([request_id])
    request = (
        (ApprovalRequest.objects.overdue() | ApprovalRequest.objects.lapsed())
        .select_for_update(skip_locked=True)
        .filter(pk=request_id)
        .first()
    )
    if request is None:
        return False
    why = "nobody decided in time" if request.is_open else "the approval was not used in time"
    resolve(request, RequestStatus.EXPIRED, by=by, why=why)
    return True
