"""Every status of policies, what they refer to, and requests, and what may follow what.

Drawn in approvals/README.md by `manage.py diagrams`.
"""

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


POLICY = definition_lifecycle("approval policy")
GROUP = definition_lifecycle("reviewer group")
CALENDAR = definition_lifecycle("business calendar")
ACCOUNTS = definition_lifecycle("linked accounts")

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

LIFECYCLES = (POLICY, GROUP, CALENDAR, ACCOUNTS, REQUEST)
