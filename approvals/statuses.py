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

LIFECYCLES = (POLICY, GROUP, CALENDAR, ACCOUNTS, REQUEST)
