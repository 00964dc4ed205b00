"""What the Work page shows of approvals."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Window

from approvals.models import ApprovalRequest, Decision
from approvals.models.request import NOT_LISTED
from approvals.operations.second_looks import waiting_for as waiting_for_looks
from approvals.queries.queue import QueueRow, rows_of, waiting_for
from approvals.statuses import UNDECIDED
from audit.actors import Actor


@dataclass(frozen=True, slots=True)
class Waiting:
    """For the Work page: what waits for this person, and what was decided lately in units they see."""

    rows: list[QueueRow]
    total: str
    decided: list[Decision]


def work(actor: Actor, *, size: int = 8) -> Waiting:
    ended = ~Q(request__status__in=UNDECIDED) & ~Q(request__in=waiting_for_looks(actor).values("request_id"))
    # Their own, too, only as long as they see the unit: what became of it since is the unit's business.
    seen = Q(request__in=ApprovalRequest.objects.visible_to(actor))
    voices = Decision.objects.filter(seen, ended | Q(person_id=actor.user_id)).select_related("request")
    large = [f"request__{name}" for name in NOT_LISTED]
    decided = list(voices.order_by("-at", "-id").defer(*large)[:size])
    # Listed and counted in one statement.
    rows = waiting_for(actor).listed().annotate(waiting=Window(Count("pk")))
    due: list[Any] = list(rows.due_first()[:size])
    return Waiting(rows_of(due, actor), f"{due[0].waiting if due else 0:,}", decided)
