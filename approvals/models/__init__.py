"""Policies, requests and decisions. Knows the thing decided only as a frozen snapshot."""

from approvals.models.decision import FITS, Decision, ReasonCode, Verdict
from approvals.models.exchange import Edit, Remark, RemarkKind
from approvals.models.policy import ApprovalPolicy, OnTimeout, PolicyVerdict
from approvals.models.request import ApprovalRequest

__all__ = [
    "FITS",
    "ApprovalPolicy",
    "ApprovalRequest",
    "Decision",
    "Edit",
    "OnTimeout",
    "PolicyVerdict",
    "ReasonCode",
    "Remark",
    "RemarkKind",
    "Verdict",
]
