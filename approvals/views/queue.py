"""The queue's page: one address per state, rows that stay where they are, and a notice of what has arrived."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals.forms.queue import QueueForm
from approvals.models import SavedView
from approvals.operations.saved_views import canonical
from approvals.queries import queue as queues
from approvals.queries.flood import Group
from approvals.queries.queue import QueueFilters
from approvals.rules.standing import review_units
from approvals.statuses import RequestStatus
from approvals.views.saved_views import CLEARED, ViewForm, reviewed
from approvals.views.within import suffix
from audit.ids import id_of
from audit.web import actor_of, address, chips, cursors, is_part, page, pager, unchanged

ARRIVALS = "arrivals"
NOTHING_YET = "none"


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """The queue; the list never moves by itself, a notice offers what has arrived."""
    actor = actor_of(request)
    offered = queues.choices(actor)
    form = QueueForm(request.GET, offered=offered)
    filters = form.filters(timezone.now())
    if request.headers.get("HX-Target", "").endswith(f"#{ARRIVALS}"):
        return _arrivals(request, filters)
    views: list[Any] = list(SavedView.objects.offered_to(actor))
    preferred = next((view for view in views if view.is_default), None)
    if preferred and not request.GET and not is_part(request):
        return redirect(f"{request.path}?{preferred.query or CLEARED}")
    found = queues.queue_page(actor, filters, **cursors(request))
    return page(request, "approvals/request_list.html", "approvals/_request_rows.html", {
        **_saved(request, views, reviewed(offered["unit"], actor)),
        "form": form,
        "listing": found,
        "may_act": bool(review_units(actor)),
        "within": suffix(canonical(request.GET.dict())),
        "filters": filters,
        "chips": chips(request, form),
        "folded": [_folded(request, group) for group in found.flood.groups] if found.flood else [],
        "query": request.GET.urlencode(),
        "pager": pager(request, found.slice),
        "news": _news(request, found.newest, f"{found.newest or NOTHING_YET}.0", 0),
        "clear_url": f"{request.path}?{CLEARED}",
        "for_me": address(request, state=queues.FOR_ME, after=None, before=None),
        "sent_back": address(request, state=RequestStatus.SENT_BACK, after=None, before=None),
        "due_soon": address(request, due="1", after=None, before=None),
    })  # fmt: skip


def _saved(request: HttpRequest, views: list[Any], units: list[tuple[str, str]]) -> dict[str, Any]:
    """The saved views, which of them this state is, and the form that saves it."""
    state = canonical(request.GET.dict())
    here = next((view for view in views if (view.query or CLEARED) == (state or CLEARED)), None)
    form = ViewForm(units=units, initial={"query": state})
    return {"saved": views, "state_query": state or CLEARED, "here": here, "view_form": form}


def _folded(request: HttpRequest, group: Group) -> dict[str, Any]:
    return {
        "group": group,
        "url": address(request, agent=group.agent, action=group.tool, after=None, before=None),
    }


def _arrivals(request: HttpRequest, filters: QueueFilters) -> HttpResponse:
    since, actor = request.GET.get("since", ""), actor_of(request)
    count = queues.arrived_since(actor, filters, id_of(since))
    version = f"{since}.{count}"
    answer = unchanged(request, version)
    news = _news(request, since, version, count)
    return answer or page(request, "approvals/_arrivals.html", "approvals/_arrivals.html", {"news": news})


def _news(request: HttpRequest, since: str, version: str, count: int) -> dict[str, Any]:
    return {
        "count": count,
        "version": version,
        "live": address(request, since=since or NOTHING_YET, after=None, before=None),
        "show": address(request, since=None, after=None, before=None),
    }
