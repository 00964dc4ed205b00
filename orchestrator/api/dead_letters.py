"""`dead-letters/`: what exhausted its retries, who owns it, and another try."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.queries import visible_or_refuse
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.bodies import Nothing
from orchestrator.api.contract import listing
from orchestrator.api.fields import read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, Filter, choice, page_of, refuse_unknown_parameters, text, unit, uuid, when
from orchestrator.api.shapes import DeadLetterShape, show, show_one
from orchestrator.models import DeadLetter
from orchestrator.operations.dead_letters import requeue
from orchestrator.statuses import DeadLetterStatus

LATEST_FIRST = Cursors(("-last_at", "-id"))
FILTERS = {
    "status": Filter("status", choice(*DeadLetterStatus.values)),
    "unit": Filter("unit_id", unit),
    "component": Filter("component", text),
    "owner": Filter("owner", text),
    "failure_class": Filter("failure_class", text),
    "fingerprint": Filter("fingerprint", text),
    "group": Filter("group_id", uuid),
    "execution": Filter("execution_id", uuid),
    "last_after": Filter("last_at__gte", when),
    "last_before": Filter("last_at__lt", when),
}


class DeadLetters(ApiView):
    doors = {"GET": either("executions:read")}
    filters = FILTERS

    @extend_schema(responses=listing(DeadLetterShape), summary="List dead letters, latest first")
    def get(self, request: Request) -> Response:
        rows = DeadLetter.objects.visible_to(actor_of(request)).select_related("step")
        return page_of(request, rows, LATEST_FIRST, FILTERS, lambda found: show(DeadLetterShape, found, request))


class OneDeadLetter(ApiView):
    doors = {"GET": either("executions:read")}

    @extend_schema(responses=DeadLetterShape, summary="Read a dead letter")
    def get(self, request: Request, letter_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        rows = DeadLetter.objects.visible_to(actor_of(request)).select_related("step")
        return Response(show_one(DeadLetterShape, visible_or_refuse(rows, letter_id, "dead letter"), request))


class Retries(ApiView):
    doors = {"POST": either("dead_letters:retry")}

    @extend_schema(request=Nothing, responses={201: DeadLetterShape}, summary="Let the step try again")
    def post(self, request: Request, letter_id: UUID) -> HttpResponse:
        read(Nothing, request.data)
        return once(request, lambda: _retry(request, letter_id))


def _retry(request: Request, letter_id: UUID) -> Answer:
    letter = requeue(letter_id=letter_id, by=actor_of(request))
    return Answer(201, show_one(DeadLetterShape, letter, request))
