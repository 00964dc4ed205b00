"""The queue a review page was opened from: its filters stand in the address as `from`, and "next" stays among its rows."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from approvals.forms.queue import QueueForm
from approvals.models import ApprovalRequest
from approvals.operations.saved_views import canonical
from approvals.queries import queue as queues
from audit.web import READING, actor_of, came_from, is_part

FROM = "from"


def came_through(request: HttpRequest) -> str:
    """The filters in this page's address, in the one spelling there is; "" where there are none.

    A form is sent to an address of its own, so for a POST it is the page it stands on that says.
    """
    return canonical(QueryDict(_query_here(request).get(FROM, "")).dict())


def standing_on(request: HttpRequest) -> str:
    """The filters of the queue's own page, on which something is done in a row."""
    return canonical(_query_here(request).dict())  # type: ignore[arg-type]


def _query_here(request: HttpRequest) -> QueryDict:
    if request.method in READING:
        return request.GET
    here = request.htmx.current_url if is_part(request) else came_from(request)  # type: ignore[attr-defined]
    return QueryDict(urlsplit(here or "").query)


def suffix(filters: str) -> str:
    """What an address of a review page ends with, so that it keeps to these filters."""
    return f"?{urlencode({FROM: filters})}" if filters else ""


def rows(request: HttpRequest, filters: str, *, now: datetime) -> QuerySet[ApprovalRequest] | None:
    """The requests of that queue, as the reader may see them; None without filters."""
    if not filters:
        return None
    actor: Any = actor_of(request)
    form = QueueForm(QueryDict(filters), offered=queues.choices(actor))
    return queues.queue(actor, form.filters(now))
