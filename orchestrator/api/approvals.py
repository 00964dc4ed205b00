"""`approvals/`: anybody who may see them reads; only people decide, by the same verbs as on the page."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import operations
from approvals.models import ApprovalRequest, ReasonCode
from approvals.statuses import RequestStatus
from audit.actors import Actor
from audit.queries import visible_or_refuse
from orchestrator.api.base import PEOPLE, ApiView, actor_of, either
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Object, Text, Whole, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, Filter, choice, page_of, refuse_unknown_parameters, text, unit, uuid, when
from orchestrator.api.shapes import ApprovalShape, show, show_one

READ = either("executions:read", "actions:propose")
NEWEST_FIRST = Cursors(("-created_at", "-id"))
FILTERS = {
    "status": Filter("status", choice(*RequestStatus.values)),
    "tool": Filter("tool", text),
    "agent": Filter("agent", text),
    "unit": Filter("unit_id", unit),
    "tier": Filter("tier", text),
    "action": Filter("subject_id", uuid),
    "execution": Filter("execution_id", uuid),
    "created_after": Filter("created_at__gte", when),
    "created_before": Filter("created_at__lt", when),
    "decide_before": Filter("decide_by__lt", when),
}


class DecisionBody(Body):
    """One person's voice over exactly the digest and revision they read."""

    verdict = serializers.ChoiceField(["approve", "reject"])
    digest = Text(max_length=64)
    revision = Whole(min_value=1, max_value=2**31 - 1)
    reason_code = serializers.ChoiceField(ReasonCode.choices)
    note = Text(max_length=5_000, required=False, allow_blank=True)
    viewed = Object(required=False, help_text="`sections` that were opened, and `view`: the digest of what was read")
    critical = Text(max_length=200, required=False, allow_blank=True, help_text="The value named by `must_type`")


def visible_to(actor: Actor) -> QuerySet[ApprovalRequest]:
    """People see their units' requests; an agent sees those about its own actions."""
    rows = ApprovalRequest.objects.visible_to(actor).prefetch_related("decisions")
    return rows if actor.is_person else rows.filter(agent=actor.name)


class Approvals(ApiView):
    doors = {"GET": READ}
    filters = FILTERS

    @extend_schema(responses=listing(ApprovalShape), summary="List approval requests, newest first")
    def get(self, request: Request) -> Response:
        rows = visible_to(actor_of(request))
        return page_of(request, rows, NEWEST_FIRST, FILTERS, lambda found: show(ApprovalShape, found, request))


class OneApproval(ApiView):
    doors = {"GET": READ}

    @extend_schema(responses=ApprovalShape, summary="Read an approval request")
    def get(self, request: Request, request_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        found = visible_or_refuse(visible_to(actor_of(request)), request_id, "approval request")
        return Response(show_one(ApprovalShape, found, request), headers={"ETag": etag(found)})


class Decisions(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=DecisionBody,
        parameters=[OpenApiParameter("If-Match", str, "header", description="The ETag the request was read with")],
        responses={201: ApprovalShape},
        summary="Approve or reject: signed-in people only",
    )
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        body = read(DecisionBody, request.data)
        return once(request, lambda: _decide(request, request_id, body))


def _decide(request: Request, request_id: UUID, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    seen = visible_or_refuse(visible_to(by), request_id, "approval request")
    if request.headers.get("If-Match", "*") not in {"*", etag(seen)}:
        raise operations.Changed("The request changed after you read it. Nothing was recorded; please read it again.")
    decide = {"approve": operations.approve, "reject": operations.reject}[body.pop("verdict")]
    decide(request_id=request_id, by=by, voice=operations.Voice(**body))
    return Answer(201, show_one(ApprovalShape, visible_to(by).get(pk=request_id), request))


def etag(request: ApprovalRequest) -> str:
    """Changes with what is decided on, not with who has signed so far."""
    return f'"{request.revision}-{request.digest[:16]}"'
