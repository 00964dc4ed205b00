"""Policies, requests and decisions. Knows the thing decided only as a frozen snapshot."""

from approvals.models.bulk import BulkAct, BulkItem, BulkOperation, Outcome
from approvals.models.claim import Assignment, Claim
from approvals.models.decision import FITS, Decision, ReasonCode, Verdict
from approvals.models.escalation import Escalation, EscalationLevel, Kind
from approvals.models.policy import ApprovalPolicy, OnTimeout, PolicyVerdict
from approvals.models.request import ApprovalRequest
from approvals.models.saved_view import DefaultView, SavedView
from approvals.models.standing_in import Absence, Delegation

__all__ = [
    "FITS",
    "Absence",
    "ApprovalPolicy",
    "ApprovalRequest",
    "Assignment",
    "BulkAct",
    "BulkItem",
    "BulkOperation",
    "Claim",
    "Decision",
    "DefaultView",
    "Delegation",
    "Escalation",
    "EscalationLevel",
    "Kind",
    "OnTimeout",
    "Outcome",
    "PolicyVerdict",
    "ReasonCode",
    "SavedView",
    "Verdict",
]
