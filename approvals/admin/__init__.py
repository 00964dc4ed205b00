"""Approval policies, and what they refer to, in the admin."""

from approvals.admin import policies, references

__all__ = ["policies", "references"]
