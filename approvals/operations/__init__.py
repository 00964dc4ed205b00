"""The verbs of deciding. Every one: keyword-only, one transaction, the row locked before it is judged."""

from approvals.operations.asking import Asked, Subject, facts_of, notice_of, open_request, requests_of, void, withdraw
from approvals.operations.deciding import NeedsResult, answer, approve, complete, reject
from approvals.operations.expiry import expire_overdue
from approvals.operations.using import NotUsable, refuse_revoked, use
from approvals.operations.voices import Changed, TooLate, Voice, refuse_too_late, refuse_unless_waiting

__all__ = [
    "Asked",
    "Changed",
    "NeedsResult",
    "NotUsable",
    "Subject",
    "TooLate",
    "Voice",
    "answer",
    "approve",
    "complete",
    "expire_overdue",
    "facts_of",
    "notice_of",
    "open_request",
    "refuse_revoked",
    "refuse_too_late",
    "refuse_unless_waiting",
    "reject",
    "requests_of",
    "use",
    "void",
    "withdraw",
]
