"""How a request ends: moved, told, and announced to whoever composed it."""

from typing import Any

from django.db.models.functions import Now

from approvals.models import ApprovalRequest, NoticeKind
from approvals.notifying import notices
from approvals.signals import request_resolved
from audit.actors import Actor
from audit.lifecycle import move


def resolve(request: ApprovalRequest, to: str, *, by: Actor, why: str = "", **columns: Any) -> None:
    move(request, to=to, by=by, why=why, data={"digest": request.digest}, resolved_at=Now(), **columns)
    notices.tell_of_request(NoticeKind.DECIDED, request, by=by)
    request_resolved.send(ApprovalRequest, request=request)
