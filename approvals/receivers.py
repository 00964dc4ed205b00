"""What a decision leaves for learning, inside the deciding transaction: the end of a test item; else perhaps a second look,
and a candidate for evaluation.
"""

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from approvals.models import ApprovalRequest, Edit
from approvals.operations import cases, second_looks, seeding
from approvals.signals import request_resolved
from audit.actors import system

FEEDBACK = system("feedback")


@receiver(request_resolved)
def learn(request: ApprovalRequest, **_: Any) -> None:
    if request.is_test:
        seeding.end(request, by=FEEDBACK)
    else:
        second_looks.draw(request, by=FEEDBACK)
        cases.keep_decision(request, by=FEEDBACK)


@receiver(post_save, sender=Edit)
def keep(instance: Edit, created: bool, **_: Any) -> None:
    if created:
        cases.keep_edit(instance, by=FEEDBACK)
