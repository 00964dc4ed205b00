"""Approval policies, what they refer to, and what else administrators configure, in the admin."""

from approvals.admin import bypasses, endpoints, escalation, policies, references

__all__ = ["bypasses", "endpoints", "escalation", "policies", "references"]
