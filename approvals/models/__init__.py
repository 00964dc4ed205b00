"""Policies, requests and decisions. Knows the thing decided only as a frozen snapshot."""

from approvals.models.accounts import LinkedAccounts
from approvals.models.bulk import BulkAct, BulkItem, BulkOperation, Outcome
from approvals.models.calendar import BusinessCalendar
from approvals.models.claim import Assignment, Claim
from approvals.models.confirmation import SIGNING, Confirmation, FactorKind, Guesses
from approvals.models.decision import FITS, Decision, ReasonCode, Verdict, said
from approvals.models.emergency import BreakGlass, Bypass
from approvals.models.escalation import Escalation, EscalationLevel, Kind
from approvals.models.evaluation_case import CaseKind, EvaluationCase
from approvals.models.exchange import Edit, RecordChange, Remark, RemarkKind
from approvals.models.group import ReviewerGroup
from approvals.models.notice import Delivery, Notice, NoticeKind, NotificationChoice, WebhookEndpoint
from approvals.models.policy import ApprovalPolicy, OnTimeout, PolicyVerdict, StepUp
from approvals.models.request import ApprovalRequest, Found
from approvals.models.saved_view import DefaultView, SavedView
from approvals.models.second_look import DrawSeed, SecondLook
from approvals.models.seeded_item import Expected, SeededItem
from approvals.models.sign_in import SignInTries
from approvals.models.standing_in import Absence, Delegation
from approvals.models.stop import Stop, StopScope

__all__ = [
    "FITS",
    "SIGNING",
    "Absence",
    "ApprovalPolicy",
    "ApprovalRequest",
    "Assignment",
    "BreakGlass",
    "BulkAct",
    "BulkItem",
    "BulkOperation",
    "BusinessCalendar",
    "Bypass",
    "CaseKind",
    "Claim",
    "Confirmation",
    "Decision",
    "DefaultView",
    "Delegation",
    "Delivery",
    "DrawSeed",
    "Edit",
    "Escalation",
    "EscalationLevel",
    "EvaluationCase",
    "Expected",
    "FactorKind",
    "Found",
    "Guesses",
    "Kind",
    "LinkedAccounts",
    "Notice",
    "NoticeKind",
    "NotificationChoice",
    "OnTimeout",
    "Outcome",
    "PolicyVerdict",
    "ReasonCode",
    "RecordChange",
    "Remark",
    "RemarkKind",
    "ReviewerGroup",
    "SavedView",
    "SecondLook",
    "SeededItem",
    "SignInTries",
    "StepUp",
    "Stop",
    "StopScope",
    "Verdict",
    "WebhookEndpoint",
    "said",
]
