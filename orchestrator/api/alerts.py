"""`alerts/`: what needs somebody, read by machines too; acknowledged by people."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.queries import visible_or_refuse
from orchestrator.api.base import PEOPLE, ApiView, actor_of, either
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Text, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, Filter, choice, page_of, refuse_unknown_parameters, text, unit
from orchestrator.api.shapes import AlertShape, show, show_one
from orchestrator.models import Alert, Severity
from orchestrator.operations.alerts import acknowledge
from orchestrator.statuses import AlertStatus

LATEST_FIRST = Cursors(("-last_at", "-id"))
FILTERS = {
    "status": Filter("status", choice(*AlertStatus.values)),
    "severity": Filter("severity", choice(*Severity.values)),
    "unit": Filter("unit_id", unit),
    "kind": Filter("kind", text),
    "owner": Filter("owner_name", text),
}


class Alerts(ApiView):
    doors = {"GET": either("executions:read")}
    filters = FILTERS

    @extend_schema(responses=listing(AlertShape), summary="List alerts, last seen first")
    def get(self, request: Request) -> Response:
        rows = Alert.objects.visible_to(actor_of(request))
        return page_of(request, rows, LATEST_FIRST, FILTERS, lambda found: show(AlertShape, found, request))


class OneAlert(ApiView):
    doors = {"GET": either("executions:read")}

    @extend_schema(responses=AlertShape, summary="Read an alert")
    def get(self, request: Request, alert_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        rows = Alert.objects.visible_to(actor_of(request))
        return Response(show_one(AlertShape, visible_or_refuse(rows, alert_id, "alert"), request))


class Acknowledgement(Body):
    reason = Text(help_text="What you do about it", max_length=1_000)


class Acknowledgements(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(request=Acknowledgement, responses={201: AlertShape}, summary="Say that you know of an alert")
    def post(self, request: Request, alert_id: UUID) -> HttpResponse:
        body = read(Acknowledgement, request.data)
        return once(request, lambda: _acknowledge(request, alert_id, body))


def _acknowledge(request: Request, alert_id: UUID, body: dict[str, Any]) -> Answer:
    alert = acknowledge(alert_id=alert_id, by=actor_of(request), why=body["reason"])
    return Answer(201, show_one(AlertShape, alert, request))
