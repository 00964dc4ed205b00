"""Policies, requests and decisions. Knows the thing decided only as a frozen snapshot."""

from approvals.models.accounts import LinkedAccounts
from approvals.models.calendar import BusinessCalendar
from approvals.models.decision import FITS, Decision, ReasonCode, Verdict
from approvals.models.exchange import Edit, Remark, RemarkKind
from approvals.models.group import ReviewerGroup
from approvals.models.policy import ApprovalPolicy, OnTimeout, PolicyVerdict
from approvals.models.request import ApprovalRequest

__all__ = [
    "FITS",
    "ApprovalPolicy",
    "ApprovalRequest",
    "BusinessCalendar",
    "Decision",
    "Edit",
    "LinkedAccounts",
    "OnTimeout",
    "PolicyVerdict",
    "ReasonCode",
    "Remark",
    "RemarkKind",
    "ReviewerGroup",
    "Verdict",
]
