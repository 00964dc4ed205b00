"""`audit/events/`: the audit trail of the units the caller audits, with each event's hash."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import AuditEvent
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.contract import listing
from orchestrator.api.lists import Cursors, Filter, page_of, text, unit, uuid, when
from orchestrator.api.shapes import ChainedEventShape, show

NEWEST_FIRST = Cursors(("-at", "-id"))
FILTERS = {
    "event": Filter("event", text),
    "actor": Filter("actor", text),
    "object": Filter("object_id", uuid),
    "stream": Filter("stream", text),
    "unit": Filter("unit_id", unit),
    "at_after": Filter("at__gte", when),
    "at_before": Filter("at__lt", when),
}


class Events(ApiView):
    doors = {"GET": either("read:audit")}
    filters = FILTERS

    @extend_schema(responses=listing(ChainedEventShape), summary="List audit events, newest first")
    def get(self, request: Request) -> Response:
        rows = AuditEvent.objects.visible_to(actor_of(request))
        return page_of(request, rows, NEWEST_FIRST, FILTERS, lambda found: show(ChainedEventShape, found, request))
