"""What a decision leaves for learning, inside the deciding transaction: the end of a test item, else perhaps a second look."""

from typing import Any

from django.dispatch import receiver

from approvals import second_looks, seeding
from approvals.models import ApprovalRequest
from approvals.signals import request_resolved
from audit.actors import system

FEEDBACK = system("feedback")


@receiver(request_resolved)
def learn(request: ApprovalRequest, **_: Any) -> None:
    if request.is_test:
        seeding.end(request, by=FEEDBACK)
    else:
        second_looks.draw(request, by=FEEDBACK)
