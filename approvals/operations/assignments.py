"""Asking a colleague to look at a request. It opens no right, and keeps nobody else from signing."""

from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from approvals.models import Absence, Assignment, NoticeKind
from approvals.notifying import notices
from approvals.rules.eligible import may_sign_at_all
from approvals.rules.locks import lock_request
from approvals.rules.permissions import refuse_unless_reviewer, told
from audit import actors, lifecycle
from audit.actors import Actor
from audit.refusals import Refusal, Stale
from budgets.permissions import people_with


class CannotBeAsked(Refusal):
    """Assigning to somebody whose signature cannot count would only lose time."""

    code = "cannot_be_asked"


@transaction.atomic
def assign(*, request_id: UUID, to: int, by: Actor) -> Assignment:
    """Ask one person to look at it. Somebody who could not sign it is refused, with the reason.

    While that person is away, whoever stands in for them is asked instead; when they are back, it is theirs again."""
    request = lock_request(request_id, by)
    refuse_unless_reviewer(request, by)
    if not request.is_open:
        raise Stale(f"This request is already {request.status}. There is nothing left to assign.")
    user = get_user_model().objects.filter(pk=to, is_active=True).first()
    if user is None:
        raise CannotBeAsked("There is no such person, or their account is disabled.")
    asked = actors.person(user.pk, user.get_full_name() or user.get_username())
    away = Absence.objects.in_force().filter(person=user).first()
    if away and away.stand_in_id not in people_with("view", request.unit_id):
        raise CannotBeAsked(f"{asked.name} is away, and nobody stands in here: choose somebody else.")
    answer = may_sign_at_all(request, asked)
    if not answer.allowed:
        # Who signed first is not told to whoever may sign second: every reason has the same words then.
        tells = request.required == 1 or told(request, request.decisions.all(), by)
        why = f": {answer.why}" if tells else ". Choose somebody else."
        raise CannotBeAsked(f"{asked.name} cannot sign this request{why}")
    row, _ = Assignment.objects.update_or_create(
        request=request,
        defaults={
            "person": user,
            "person_name": asked.name,
            "assigned_by_name": by.name,
            "assigned_at": lifecycle.database_now(),
        },
    )
    lifecycle.note(request, "approval_request.assigned", by=by, data={"to": asked.key})
    notices.tell_of_request(NoticeKind.ASSIGNED, request, by=by, asked=notices.Asked(person_id=user.pk))
    return row
