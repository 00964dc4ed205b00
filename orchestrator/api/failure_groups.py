"""`failure-groups/` and `operations/`: letters by cause, and a staged redrive of a group by the person who asks for it."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.queries import visible_or_refuse
from orchestrator.api.base import PEOPLE, ApiView, actor_of, either
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Whole, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, Filter, choice, page_of, refuse_unknown_parameters, text, unit
from orchestrator.api.shapes import FailureGroupShape, OperationShape, show, show_one
from orchestrator.models import FailureGroup, Operation
from orchestrator.operations import bulk_letters
from orchestrator.operations.bulk_letters import SHARES, SPEEDS, Terms, WrongCount
from orchestrator.queries.failure_groups import OPEN
from orchestrator.statuses import GroupStatus

LATEST_FIRST = Cursors(("-seen_at", "-id"))
FILTERS = {
    "status": Filter("status", choice(*GroupStatus.values)),
    "unit": Filter("unit_id", unit),
    "component": Filter("component", text),
    "owner": Filter("owner", text),
    "failure_class": Filter("failure_class", text),
    "fingerprint": Filter("fingerprint", text),
}


def _groups(request: Request) -> QuerySet[FailureGroup]:
    rows: QuerySet[FailureGroup] = FailureGroup.objects.visible_to(actor_of(request)).annotate(
        letters_number=Count("letters"),
        open=Count("letters", filter=Q(letters__status__in=OPEN)),
        last_at=Max("letters__last_at"),
    )
    return rows


class FailureGroups(ApiView):
    doors = {"GET": either("executions:read")}
    filters = FILTERS

    @extend_schema(responses=listing(FailureGroupShape), summary="List groups of equal failures, last failed first")
    def get(self, request: Request) -> Response:
        return page_of(
            request, _groups(request), LATEST_FIRST, FILTERS, lambda found: show(FailureGroupShape, found, request)
        )


class OneFailureGroup(ApiView):
    doors = {"GET": either("executions:read")}

    @extend_schema(responses=FailureGroupShape, summary="Read a group of equal failures")
    def get(self, request: Request, group_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        row = visible_or_refuse(_groups(request), group_id, "group of failures")
        return Response(show_one(FailureGroupShape, row, request))


class Redrive(Body):
    """All open letters of the group, one, then ten, then the rest."""

    count = Whole(min_value=1, help_text="How many letters you mean: refused when it is another number by now")
    per_minute = Whole(required=False, help_text=f"One of {', '.join(map(str, SPEEDS))}. Default: 60")
    stop_percent = Whole(
        required=False, help_text=f"One of {', '.join(map(str, SHARES))}. Default: 0, the first failure"
    )


class Redrives(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(request=Redrive, responses={201: OperationShape}, summary="Redrive all open letters of a group")
    def post(self, request: Request, group_id: UUID) -> HttpResponse:
        body = read(Redrive, request.data)
        return once(request, lambda: _redrive(request, group_id, body))


def _redrive(request: Request, group_id: UUID, body: dict[str, Any]) -> Answer:
    """Frozen and confirmed in one transaction: the count stands in for the preview that a page shows."""
    by = actor_of(request)
    with transaction.atomic():
        operation = bulk_letters.preview(act="redrive", group_id=group_id, by=by)
        if operation.size != body["count"]:
            raise WrongCount(f"It is about {operation.size:,} letters now, and nothing was done.")
        operation = bulk_letters.confirm(operation_id=operation.pk, by=by, terms=Terms(**body))
    return Answer(201, show_one(OperationShape, operation, request))


class OneOperation(ApiView):
    doors = {"GET": either("executions:read")}

    @extend_schema(responses=OperationShape, summary="Read an operation on many letters")
    def get(self, request: Request, operation_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        rows = Operation.objects.visible_to(actor_of(request))
        return Response(show_one(OperationShape, visible_or_refuse(rows, operation_id, "operation"), request))
