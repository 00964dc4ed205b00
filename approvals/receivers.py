"""What a decision leaves for learning, inside the deciding transaction: a second look, if one is drawn."""

from typing import Any

from django.dispatch import receiver

from approvals import second_looks
from approvals.models import ApprovalRequest
from approvals.signals import request_resolved
from audit.actors import system

FEEDBACK = system("feedback")


@receiver(request_resolved)
def draw_a_second_look(request: ApprovalRequest, **_: Any) -> None:
    second_looks.draw(request, by=FEEDBACK)
