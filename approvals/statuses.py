"""Every status of policies and requests, and what may follow what. Drawn in approvals/README.md by `manage.py diagrams`."""

from django.db import models

from audit.definitions import definition_lifecycle
from audit.lifecycle import Lifecycle


class RequestStatus(models.TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    USED = "used"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"


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


POLICY = definition_lifecycle("approval policy")
ESCALATION_LEVEL = definition_lifecycle("escalation level")

REQUEST = Lifecycle(
    "approval request",
    {
        RequestStatus.PENDING: {
            RequestStatus.APPROVED,
            RequestStatus.REJECTED,
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

LIFECYCLES = (POLICY, REQUEST, BULK, ESCALATION_LEVEL, STOP, BREAK_GLASS, BYPASS)
