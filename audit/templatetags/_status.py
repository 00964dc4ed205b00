"""Status to word, tone and icon: the one table behind every pill. Pure.

Tones: neutral, info, progress, wait, ok, danger, critical. Icons are ids in static/icons.svg.
"""

from typing import NamedTuple


class Pill(NamedTuple):
    """How one status looks. The word carries the meaning; tone and icon repeat it."""

    word: str
    tone: str
    icon: str


_DONE = Pill("Done", "ok", "check")
_FAILED = Pill("Failed", "danger", "cross")
_RUNNING = Pill("Running", "progress", "half")
_CANCELLED = Pill("Cancelled", "neutral", "slash")
_TIMED_OUT = Pill("Timed out", "danger", "clock-cross")
_WAITING_FOR_APPROVAL = Pill("Waiting for approval", "wait", "hourglass")
_UNKNOWN_OUTCOME = Pill("Unknown outcome", "wait", "question")
_DEAD_LETTERED = Pill("Dead-lettered", "critical", "octagon")
_REJECTED = Pill("Rejected", "danger", "cross")
_APPROVED = Pill("Approved", "ok", "check")
_ANSWERED = Pill("Answered by a person", "info", "person")
_EXPIRED = Pill("Expired", "neutral", "dash")
_WITHDRAWN = Pill("Withdrawn", "neutral", "back")
_VOID = Pill("Void", "neutral", "swap")
_DENIED = Pill("Denied", "danger", "gate")
_DRAFT = Pill("Draft", "neutral", "pencil")
_RETIRED = Pill("Retired", "neutral", "box")
_BUSINESS_ERROR = Pill("Business error", "danger", "cross")
_SYSTEM_ERROR = Pill("System error", "danger", "warning")

PILLS: dict[str, dict[str, Pill]] = {
    "execution": {
        "queued": Pill("Queued", "neutral", "dotted"),
        "running": _RUNNING,
        "waiting": Pill("Waiting", "wait", "hourglass"),
        "paused": Pill("Paused", "neutral", "pause"),
        "succeeded": _DONE,
        "failed": _FAILED,
        "dead_lettered": _DEAD_LETTERED,
        "cancelled": _CANCELLED,
        "timed_out": _TIMED_OUT,
        "compensating": Pill("Compensating", "wait", "back"),
        "compensated": Pill("Compensated", "neutral", "back-check"),
        "partly_compensated": Pill("Partly compensated", "wait", "back"),
        "not_compensated": Pill("Not compensated", "danger", "back"),
    },
    "part": {
        "ok": _DONE,
        "error": Pill("Error", "danger", "cross"),
        "refused": Pill("Refused", "neutral", "slash"),
        "waiting": Pill("Waiting", "wait", "hourglass"),
        "running": _RUNNING,
    },
    "step": {
        "pending": Pill("Pending", "neutral", "dotted"),
        "in_progress": _RUNNING,
        "success": _DONE,
        "business_error": _BUSINESS_ERROR,
        "system_error": _SYSTEM_ERROR,
        "scheduled": Pill("Retry scheduled", "wait", "clock"),
        "dead_letter": _DEAD_LETTERED,
        "awaiting_approval": _WAITING_FOR_APPROVAL,
        "budget_hold": Pill("Budget hold", "wait", "lock"),
        "stopped": Pill("Stopped", "critical", "octagon"),
        "throttled": Pill("Waits for its turn", "wait", "clock"),
        "unknown_outcome": _UNKNOWN_OUTCOME,
        "cancelled": _CANCELLED,
        "skipped": Pill("Skipped", "neutral", "skip"),
    },
    "attempt": {
        "running": _RUNNING,
        "succeeded": _DONE,
        "failed": _FAILED,
        "parked": Pill("Parked", "neutral", "pause"),
        "lost": Pill("Lost", "danger", "broken-link"),
        "released": Pill("Released", "neutral", "back"),
    },
    "action": {
        "proposed": Pill("Proposed", "neutral", "dotted"),
        "held": _WAITING_FOR_APPROVAL,
        "granted": Pill("Granted", "info", "flag"),
        "redeemed": Pill("Under way", "progress", "half"),
        "unreported": Pill("Not reported", "neutral", "question"),
        "succeeded": _DONE,
        "failed": _FAILED,
        "unknown": _UNKNOWN_OUTCOME,
        "denied": _DENIED,
        "rejected": _REJECTED,
        "sent_back": Pill("Sent back with a question", "info", "speech"),
        "answered": _ANSWERED,
        "expired": _EXPIRED,
        "withdrawn": _WITHDRAWN,
        "void": _VOID,
        "undone": Pill("Undone", "neutral", "back-check"),
    },
    "request": {
        "pending": Pill("Waiting", "wait", "hourglass"),
        "claimed": Pill("Claimed", "info", "hand"),
        "approved": _APPROVED,
        "used": Pill("Approved, used", "ok", "check"),
        "rejected": _REJECTED,
        "sent_back": Pill("Sent back", "info", "speech"),
        "answered": _ANSWERED,
        "escalated": Pill("Escalated", "critical", "up"),
        "overdue": Pill("Overdue", "critical", "clock-mark"),
        "expired": _EXPIRED,
        "withdrawn": _WITHDRAWN,
        "void": _VOID,
    },
    "breaker": {
        "closed": Pill("Closed", "ok", "check"),
        "open": Pill("Open", "critical", "octagon"),
        "trying": Pill("Trying", "wait", "half"),
    },
    "decision": {
        "approve": _APPROVED,
        "reject": _REJECTED,
        "answer": _ANSWERED,
    },
    "bulk": {
        "previewed": Pill("Preview", "info", "eye"),
        "running": _RUNNING,
        "done": _DONE,
    },
    "bulk_item": {
        "left_out": Pill("Left out", "neutral", "skip"),
        "done": _DONE,
        "refused": Pill("Refused", "wait", "gate"),
        "failed": _FAILED,
    },
    "verdict": {
        "allow": Pill("Allowed", "ok", "check"),
        "hold": Pill("Needs a person", "wait", "hand"),
        "deny": _DENIED,
    },
    "dead_letter": {
        "open": Pill("Open", "info", "dot"),
        "escalating": Pill("Escalating", "critical", "rising"),
        "regressed": Pill("Regressed", "danger", "loop"),
        "parked": Pill("Parked", "neutral", "pause"),
        "redriven": Pill("Redriven", "progress", "arrow"),
        "fixed": Pill("Fixed", "ok", "check"),
        "discarded": Pill("Discarded", "neutral", "bin"),
        "ended": Pill("Ended without success", "neutral", "dash"),
    },
    "failure_group": {
        "new": Pill("New", "info", "dot"),
        "escalating": Pill("Escalating", "critical", "rising"),
        "regressed": Pill("Regressed", "danger", "loop"),
        "ongoing": Pill("Ongoing", "wait", "wave"),
        "parked": Pill("Parked", "neutral", "pause"),
        "fixed": Pill("Fixed", "ok", "check"),
        "merged": Pill("Merged", "neutral", "swap"),
    },
    "alert": {
        "open": Pill("Open", "danger", "flag"),
        "acknowledged": Pill("Acknowledged", "wait", "hand"),
        "resolved": Pill("Over", "ok", "check"),
    },
    "level": {
        "inside": Pill("In range", "ok", "check"),
        "below": Pill("Below the range", "info", "down"),
        "above": Pill("Above the range", "info", "up"),
        "out": Pill("Out of range", "critical", "octagon"),
        "unknown": Pill("Not known", "neutral", "question"),
    },
    "severity": {
        "warning": Pill("Warning", "wait", "warning"),
        "critical": Pill("Critical", "critical", "octagon"),
    },
    "operation": {
        "previewed": Pill("Preview", "info", "eye"),
        "second_person": Pill("Waits for a second person", "wait", "people"),
        "running": _RUNNING,
        "paused": Pill("Paused", "neutral", "pause"),
        "halted": Pill("Stopped itself", "critical", "octagon"),
        "cancelled": _CANCELLED,
        "done": _DONE,
    },
    "operation_item": {
        "left_out": Pill("Left out", "neutral", "skip"),
        "waiting": Pill("Waiting", "neutral", "dotted"),
        "under_way": Pill("Under way", "progress", "half"),
        "fixed": Pill("Seen to succeed", "ok", "check"),
        "failed": Pill("Failed again", "danger", "cross"),
        "refused": Pill("Refused", "wait", "gate"),
        "discarded": Pill("Discarded", "neutral", "bin"),
        "not_tried": Pill("Not tried", "neutral", "dash"),
    },
    "break_glass": {
        "open": Pill("Needs a second look", "critical", "warning"),
        "justified": Pill("Justified", "ok", "check"),
        "objected": Pill("Objected to", "danger", "flag"),
    },
    "second_look": {
        "open": Pill("Second look", "info", "eye"),
        "agreed": Pill("Agreed", "ok", "check"),
        "disagreed": Pill("Disagreed", "danger", "flag"),
        "expired": Pill("Nobody looked", "neutral", "dash"),
    },
    "test_item": {
        "waiting": Pill("Waiting", "wait", "hourglass"),
        "caught": Pill("Caught", "ok", "check"),
        "missed": Pill("Missed", "danger", "warning"),
        "passed": Pill("Rightly approved", "ok", "check"),
        "objected": Pill("Stopped, though good", "wait", "hand"),
        "lapsed": Pill("Nobody decided", "neutral", "dash"),
    },
    "evaluation_case": {
        "candidate": Pill("Candidate", "wait", "flask"),
        "accepted": Pill("Accepted", "ok", "check"),
        "dismissed": Pill("Dismissed", "neutral", "bin"),
    },
    "stop": {
        "engaged": Pill("Stopped", "critical", "octagon"),
        "lifted": Pill("Lifted", "ok", "check"),
    },
    "definition": {
        "draft": _DRAFT,
        "active": Pill("Active", "ok", "check"),
        "disabled": Pill("Disabled", "danger", "slash"),
        "retired": _RETIRED,
    },
    "tier": {
        "informational": Pill("Informational", "neutral", "dot"),
        "customer_facing": Pill("Customer-facing", "info", "person"),
        "financial": Pill("Financial", "wait", "people"),
    },
    "effect": {
        "read": Pill("Reads", "neutral", "eye"),
        "write": Pill("Writes, can be undone", "info", "pencil"),
        "irreversible": Pill("Cannot be undone", "danger", "lock"),
        # Of a step of a workflow: what waits is whether it goes on, or somebody to do it.
        "continue": Pill("Lets it go on", "info", "play"),
        "take over by hand": Pill("Done by hand", "info", "person"),
    },
    "failure": {
        "business": _BUSINESS_ERROR,
        "system": _SYSTEM_ERROR,
        "timeout": _TIMED_OUT,
        "unknown_outcome": _UNKNOWN_OUTCOME,
        "lost": Pill("Worker lost", "danger", "broken-link"),
        "budget": Pill("Over budget", "wait", "bar-over"),
        "policy": Pill("Policy violation", "critical", "gate"),
        "determinism": Pill("Replay diverged", "critical", "swap"),
        "fallback": Pill("Fallback", "wait", "swap"),
        "empty_result": Pill("Empty result", "danger", "dash"),
        "output_schema": Pill("Does not fit its schema", "danger", "warning"),
        "bug": Pill("Handler bug", "danger", "warning"),
    },
    "budget": {
        "inside": Pill("Inside", "ok", "bar-low"),
        "at_risk": Pill("At risk", "wait", "bar-high"),
        "over": Pill("Over", "danger", "bar-over"),
        "frozen": Pill("Frozen", "critical", "lock"),
    },
    "release": {
        "draft": _DRAFT,
        "evaluating": Pill("Evaluating", "progress", "flask"),
        "gate_failed": Pill("Gate failed", "danger", "gate"),
        "ready": Pill("Ready", "info", "flag"),
        "canary": Pill("Canary", "wait", "bird"),
        "live": Pill("Live", "ok", "check"),
        "rolled_back": Pill("Rolled back", "danger", "back"),
        "retired": _RETIRED,
    },
    "chain": {
        "verified": Pill("Verified", "ok", "link-check"),
        "unchecked": Pill("Not checked", "neutral", "link"),
        "broken": Pill("Broken", "critical", "broken-link"),
    },
    "health": {
        "good": Pill("Good", "ok", "check"),
        "degraded": Pill("Degraded", "wait", "wave"),
        "down": Pill("Down", "critical", "octagon"),
        "unknown": Pill("Unknown", "neutral", "question"),
    },
}


def pill(domain: str, status: str) -> Pill:
    """The pill of a status. One the table does not know is shown as what it is, with a question mark."""
    known = PILLS.get(domain, {}).get(str(status))
    return known or Pill(str(status).replace("_", " ").capitalize() or "No status", "neutral", "question")


def signatures(given: int, required: int) -> Pill:
    """`1 of 2`: how far the signatures are."""
    tone, icon = ("ok", "check") if given >= required else ("progress", "people")
    return Pill(f"{given} of {required}", tone, icon)
