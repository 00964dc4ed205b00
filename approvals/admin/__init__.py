"""Approval policies, what they refer to, and what else administrators configure, in the admin."""

from approvals.admin import bypasses, endpoints, escalation, factors, policies, references

__all__ = ["bypasses", "endpoints", "escalation", "factors", "policies", "references"]
