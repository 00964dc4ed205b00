"""Approval policies, what they refer to, and what else administrators configure, in the admin."""

from approvals.admin import accounts, bypasses, endpoints, escalation, factors, policies, references

__all__ = ["accounts", "bypasses", "endpoints", "escalation", "factors", "policies", "references"]
