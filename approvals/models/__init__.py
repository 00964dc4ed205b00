"""Policies, requests and decisions. Knows the thing decided only as a frozen snapshot."""

from approvals.models.decision import FITS, Decision, ReasonCode, Verdict
from approvals.models.emergency import BreakGlass, Bypass
from approvals.models.notice import Delivery, Notice, NoticeKind, NotificationChoice, WebhookEndpoint
from approvals.models.policy import ApprovalPolicy, OnTimeout, PolicyVerdict
from approvals.models.request import ApprovalRequest
from approvals.models.stop import Stop, StopScope

__all__ = [
    "FITS",
    "ApprovalPolicy",
    "ApprovalRequest",
    "BreakGlass",
    "Bypass",
    "Decision",
    "Delivery",
    "Notice",
    "NoticeKind",
    "NotificationChoice",
    "OnTimeout",
    "PolicyVerdict",
    "ReasonCode",
    "Stop",
    "StopScope",
    "Verdict",
    "WebhookEndpoint",
]
