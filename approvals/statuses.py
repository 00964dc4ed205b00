"""Every status of policies, what they refer to, and requests, and what may follow what.

Drawn in approvals/README.md by `manage.py diagrams`.
"""

from django.db import models

from audit.definitions import definition_lifecycle
from audit.lifecycle import Lifecycle


class RequestStatus(models.TextChoices):
    PENDING = "pending"
    SENT_BACK = "sent_back"  # a reviewer has asked something; nobody decides until it is answered
    APPROVED = "approved"
    USED = "used"
    REJECTED = "rejected"
    ANSWERED = "answered"  # a person gave the result; nothing is carried out
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"


# Nobody has decided yet: who has signed so far stays between those who have.
UNDECIDED = (RequestStatus.PENDING, RequestStatus.SENT_BACK)


class BulkStatus(models.TextChoices):
    PREVIEWED = "previewed"
    RUNNING = "running"
    DONE = "done"


class StopStatus(models.TextChoices):
    ENGAGED = "engaged"
    LIFTED = "lifted"


class BreakGlassStatus(models.TextChoices):
    OPEN = "open"  # nobody else has looked at it yet
    JUSTIFIED = "justified"
    OBJECTED = "objected"


class SecondLookStatus(models.TextChoices):
    OPEN = "open"  # drawn; nobody has looked yet
    AGREED = "agreed"
    DISAGREED = "disagreed"
    EXPIRED = "expired"  # nobody looked in time, which has no consequence


class SeededItemStatus(models.TextChoices):
    WAITING = "waiting"  # looks like any other request
    CAUGHT = "caught"  # known bad, and a reviewer stopped it
    MISSED = "missed"  # known bad, and it was approved
    PASSED = "passed"  # known good, and it was approved
    OBJECTED = "objected"  # known good, and a reviewer stopped it
    LAPSED = "lapsed"  # nobody decided


class EvaluationCaseStatus(models.TextChoices):
    CANDIDATE = "candidate"  # kept from a decision; nobody has looked whether it teaches anything
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


POLICY = definition_lifecycle("approval policy")
GROUP = definition_lifecycle("reviewer group")
CALENDAR = definition_lifecycle("business calendar")
ACCOUNTS = definition_lifecycle("linked accounts")
ESCALATION_LEVEL = definition_lifecycle("escalation level")

REQUEST = Lifecycle(
    "approval request",
    {
        RequestStatus.PENDING: {
            RequestStatus.APPROVED,
            RequestStatus.REJECTED,
            RequestStatus.ANSWERED,
            RequestStatus.SENT_BACK,
            RequestStatus.EXPIRED,
            RequestStatus.WITHDRAWN,
            RequestStatus.VOID,
        },
        # The time to decide runs on: a question nobody answers ends like silence does.
        RequestStatus.SENT_BACK: {
            RequestStatus.PENDING,
            RequestStatus.EXPIRED,
            RequestStatus.WITHDRAWN,
            RequestStatus.VOID,
        },
        # Approved is permission for one dispatch: used by it, or lost to time, change or withdrawal. Never re-decided.
        RequestStatus.APPROVED: {
            RequestStatus.USED,
            RequestStatus.EXPIRED,
            RequestStatus.WITHDRAWN,
            RequestStatus.VOID,
        },
        RequestStatus.USED: set(),
        RequestStatus.REJECTED: set(),
        RequestStatus.ANSWERED: set(),
        RequestStatus.EXPIRED: set(),
        RequestStatus.WITHDRAWN: set(),
        RequestStatus.VOID: set(),
    },
    initial={RequestStatus.PENDING},
)

BULK = Lifecycle(
    "bulk operation",
    {
        # Running until every item has an outcome: a run that was cut off is taken up again, never begun anew.
        BulkStatus.PREVIEWED: {BulkStatus.RUNNING},
        BulkStatus.RUNNING: {BulkStatus.DONE},
        BulkStatus.DONE: set(),
    },
    initial={BulkStatus.PREVIEWED},
)

# A stop that was lifted stays lifted: stopping again is a new row with its own reason.
STOP = Lifecycle(
    "stop",
    {StopStatus.ENGAGED: {StopStatus.LIFTED}, StopStatus.LIFTED: set()},
    initial={StopStatus.ENGAGED},
)

# What one person did alone is judged by another afterwards, once. The act itself is not undone by it.
BREAK_GLASS = Lifecycle(
    "break glass",
    {
        BreakGlassStatus.OPEN: {BreakGlassStatus.JUSTIFIED, BreakGlassStatus.OBJECTED},
        BreakGlassStatus.JUSTIFIED: set(),
        BreakGlassStatus.OBJECTED: set(),
    },
    initial={BreakGlassStatus.OPEN},
)

BYPASS = definition_lifecycle("bypass")

# Somebody else judges a decided request anew, once, without knowing the verdict. The request itself never moves by it.
SECOND_LOOK = Lifecycle(
    "second look",
    {
        SecondLookStatus.OPEN: {SecondLookStatus.AGREED, SecondLookStatus.DISAGREED, SecondLookStatus.EXPIRED},
        SecondLookStatus.AGREED: set(),
        SecondLookStatus.DISAGREED: set(),
        SecondLookStatus.EXPIRED: set(),
    },
    initial={SecondLookStatus.OPEN},
)

# What a test item shows is said once, by what the reviewers did. Its request opens nothing whatever that was.
SEEDED_ITEM = Lifecycle(
    "seeded item",
    {
        SeededItemStatus.WAITING: {
            SeededItemStatus.CAUGHT,
            SeededItemStatus.MISSED,
            SeededItemStatus.PASSED,
            SeededItemStatus.OBJECTED,
            SeededItemStatus.LAPSED,
        },
        SeededItemStatus.CAUGHT: set(),
        SeededItemStatus.MISSED: set(),
        SeededItemStatus.PASSED: set(),
        SeededItemStatus.OBJECTED: set(),
        SeededItemStatus.LAPSED: set(),
    },
    initial={SeededItemStatus.WAITING},
)

# What releases are held against is chosen by people; an accepted case can be dismissed later, never taken up again silently.
EVALUATION_CASE = Lifecycle(
    "evaluation case",
    {
        EvaluationCaseStatus.CANDIDATE: {EvaluationCaseStatus.ACCEPTED, EvaluationCaseStatus.DISMISSED},
        EvaluationCaseStatus.ACCEPTED: {EvaluationCaseStatus.DISMISSED},
        EvaluationCaseStatus.DISMISSED: set(),
    },
    initial={EvaluationCaseStatus.CANDIDATE},
)
