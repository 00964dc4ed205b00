"""`approvals/`: anybody who may see them reads; only people decide, by the same verbs as on the page."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals import operations
from approvals.authentication import step_up
from approvals.authentication.factors import FRESH_SECONDS, Given
from approvals.models import ApprovalRequest, Claim, ReasonCode
from approvals.operations import claims, readings
from approvals.operations.questions import reply, send_back
from approvals.queries import difference_from
from approvals.statuses import RequestStatus
from audit.actors import Actor
from audit.pointers import pointer_to
from audit.queries import visible_or_refuse
from orchestrator.api.approval_shapes import ApprovalShape, ConfirmationShape
from orchestrator.api.base import PEOPLE, ApiView, actor_of, either
from orchestrator.api.bodies import Nothing
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Id, Object, Text, Whole, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import (
    BadParameter,
    Cursors,
    Filter,
    choice,
    page_of,
    refuse_unknown_parameters,
    text,
    unit,
    uuid,
    when,
)
from orchestrator.api.shapes import show, show_one
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.operations.by_hand import hand_in

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


class Viewed(Object):
    """What the client says of how it was read; who says how long, says it in whole seconds."""

    def to_internal_value(self, data: Any) -> Any:
        viewed = super().to_internal_value(data)
        seconds = viewed.get("seconds")
        if seconds is not None and (type(seconds) is not int or seconds < 0):
            raise serializers.ValidationError({"seconds": "This must be a whole number of seconds."})
        return viewed


class DecisionBody(Body):
    """One person's voice over exactly the digest and revision they read."""

    verdict = serializers.ChoiceField(["approve", "reject"])
    digest = Text(max_length=64)
    revision = Whole(min_value=1, max_value=2**31 - 1)
    reason_code = serializers.ChoiceField(ReasonCode.choices)
    note = Text(max_length=5_000, required=False, allow_blank=True)
    answers = Object(
        required=False, help_text="The policy's checks: question to true or false. Approving needs every yes"
    )
    viewed = Viewed(
        required=False, help_text="`sections` that were opened, `view`: the digest of what was read, `seconds` it took"
    )
    critical = Text(max_length=200, required=False, allow_blank=True, help_text="The value named by `must_type`")
    confirmation = Id(required=False, help_text="Where `must_confirm` says so: what `confirmations/` answered")


class ConfirmationBody(Body):
    """The code of one's authenticator app, for one decision over exactly this. Passkeys are asked on the page."""

    digest = Text(max_length=64)
    revision = Whole(min_value=1, max_value=2**31 - 1)
    code = Text(max_length=20)


class EditBody(Body):
    """The whole arguments as they shall be: the same names, lengths and types, other values."""

    digest = Text(max_length=64)
    revision = Whole(min_value=1, max_value=2**31 - 1)
    arguments = Object()
    note = Text(max_length=2_000, required=False, allow_blank=True)


class QuestionBody(Body):
    digest = Text(max_length=64)
    revision = Whole(min_value=1, max_value=2**31 - 1)
    question = Text(max_length=2_000)


class ReplyBody(Body):
    reply = Text(max_length=2_000)


class ResultBody(Body):
    """A person's result, in the tool's place or of a step done by hand."""

    digest = Text(max_length=64)
    revision = Whole(min_value=1, max_value=2**31 - 1)
    result = Object(help_text="Has to fit the tool's output schema; of a step done by hand, `result_schema`")
    reason_code = serializers.ChoiceField(ReasonCode.choices)
    note = Text(max_length=5_000, required=False, allow_blank=True)
    viewed = Viewed(required=False)
    confirmation = Id(required=False)


def visible_to(actor: Actor) -> QuerySet[ApprovalRequest]:
    """People see their units' requests; an agent sees those about its own actions and what it asked for, and no test item."""
    held = Prefetch("claims", Claim.objects.running().order_by("claimed_at"))
    rows = ApprovalRequest.objects.visible_to(actor).prefetch_related(
        "decisions__confirmation", "emergencies", "remarks", "edits", held
    )
    return rows if actor.is_person else rows.real().filter(Q(agent=actor.name) | Q(requester=actor.key))


class Approvals(ApiView):
    doors = {"GET": READ}
    filters = FILTERS

    @extend_schema(responses=listing(ApprovalShape), summary="List approval requests, newest first")
    def get(self, request: Request) -> Response:
        rows = visible_to(actor_of(request))
        return page_of(request, rows, NEWEST_FIRST, FILTERS, lambda found: show(ApprovalShape, found, request))


class OneApproval(ApiView):
    has_etag = True
    doors = {"GET": READ}

    @extend_schema(responses=ApprovalShape, summary="Read an approval request")
    def get(self, request: Request, request_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        found = visible_or_refuse(visible_to(actor_of(request)), request_id, "approval request")
        return Response(show_one(ApprovalShape, found, request), headers={"ETag": etag(found)})


class Decisions(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=DecisionBody,
        parameters=[OpenApiParameter("If-Match", str, "header", description="The ETag the request was read with")],
        responses={201: ApprovalShape},
        summary="Approve or reject: signed-in people only",
    )
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        body = read(DecisionBody, request.data)
        return _once(request, request_id, lambda: _decide(request, request_id, body))


def _decide(request: Request, request_id: UUID, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    seen = visible_or_refuse(visible_to(by), request_id, "approval request")
    if not _matches(request.headers.get("If-Match", "*"), etag(seen)):
        raise operations.Changed("The request changed after you read it. Nothing was recorded; please read it again.")
    decide = {"approve": operations.approve, "reject": operations.reject}[body.pop("verdict")]
    decide(request_id=request_id, by=by, voice=operations.Voice(**body))
    return Answer(201, show_one(ApprovalShape, visible_to(by).get(pk=request_id), request))


def _matches(said: str, current: str) -> bool:
    """Any of several tags, and a weak one too: proxies that compress weaken ours, which names what is decided on."""
    tags = parse_etags(said)
    if not tags:
        raise BadParameter(f"If-Match: Send an ETag in its quotes, as {current}.")
    return tags == ["*"] or current in {tag.removeprefix("W/") for tag in tags}


class Confirmations(ApiView):
    """Outside the replies that are kept per key: a wrong code is counted each time, and a right one is good once."""

    doors = {"POST": PEOPLE}
    keeps_replies = False

    @extend_schema(
        request=ConfirmationBody, responses={201: ConfirmationShape},
        summary="Confirm with a second factor that it is you, for one decision: signed-in people only",
    )  # fmt: skip
    def post(self, request: Request, request_id: UUID) -> Response:
        body, by = read(ConfirmationBody, request.data), actor_of(request)
        given = Given(code=body.pop("code"))
        made = step_up.confirm(request_id=request_id, by=by, given=given, **body)
        good_until = made.at + timedelta(seconds=FRESH_SECONDS)
        shown = {"id": made.pk, "factor": made.kind, "digest": made.digest, "revision": made.revision}
        return Response(ConfirmationShape({**shown, "good_until": good_until}).data, status=201)


class Edits(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=EditBody, responses={201: ApprovalShape}, summary="Edit the arguments: signed-in people only"
    )
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        body, by = read(EditBody, request.data), actor_of(request)
        return _once(request, request_id, lambda: _then_show(request, edit(request_id=request_id, by=by, **body)))


class Questions(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(request=QuestionBody, responses={201: ApprovalShape}, summary="Send it back with a question")
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        body, by = read(QuestionBody, request.data), actor_of(request)
        return _once(request, request_id, lambda: _then_show(request, send_back(request_id=request_id, by=by, **body)))


class Replies(ApiView):
    has_etag = True
    doors = {"POST": either("actions:propose")}

    @extend_schema(request=ReplyBody, responses={201: ApprovalShape}, summary="Answer the question that sent it back")
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        body, by = read(ReplyBody, request.data), actor_of(request)
        visible_or_refuse(visible_to(by), request_id, "approval request")
        return _once(
            request, request_id, lambda: _then_show(request, reply(request_id=request_id, by=by, text=body["reply"]))
        )


class Results(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=ResultBody, responses={201: ApprovalShape}, summary="Give the result: in the tool's place, or by hand"
    )  # fmt: skip
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        body, by = read(ResultBody, request.data), actor_of(request)
        found = visible_or_refuse(visible_to(by), request_id, "approval request")
        result, give = body.pop("result"), hand_in if found.is_by_hand else answer_instead
        voice = operations.Voice(**body)
        return _once(
            request,
            request_id,
            lambda: _then_show(request, give(request_id=request_id, by=by, voice=voice, result=result)),
        )


class Readings(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=Nothing, responses={201: ApprovalShape},
        summary="Have the record behind it read again: answered at once, read by a worker",
    )  # fmt: skip
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        by = actor_of(request)
        read(Nothing, request.data)
        return _once(request, request_id, lambda: _then_show(request, readings.ask(request_id=request_id, by=by)))


class Claims(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=Nothing, responses={201: ApprovalShape}, summary="Hold it, hold it longer, or take over what lapsed"
    )
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        by = actor_of(request)
        read(Nothing, request.data)
        return _once(
            request, request_id, lambda: _then_show(request, claims.claim(request_id=request_id, by=by).request)
        )


class Releases(ApiView):
    has_etag = True
    doors = {"POST": PEOPLE}

    @extend_schema(request=Nothing, responses={201: ApprovalShape}, summary="Give one's own claim back")
    def post(self, request: Request, request_id: UUID) -> HttpResponse:
        by = actor_of(request)
        read(Nothing, request.data)
        return _once(request, request_id, lambda: _then_show(request, claims.release(request_id=request_id, by=by)))


def _once(request: Request, request_id: UUID, act: Callable[[], Answer]) -> HttpResponse:
    """As everywhere, with the ETag of what is shown; whoever read something else is told what has changed since."""
    try:
        answer = once(request, act)
    except operations.Changed as refusal:
        refusal.members = _now(request, request_id)
        raise
    shown = json.loads(answer.content)
    answer["ETag"] = _tag(shown["revision"], shown["digest"])
    return answer


def _now(request: Request, request_id: UUID) -> dict[str, Any]:
    found = visible_to(actor_of(request)).filter(pk=request_id).first()
    if found is None:
        return {}
    changes = difference_from(found, cast(Any, request.data).get("digest", ""))
    changed = [pointer_to(change.path) for change in changes]
    return {"current": {"revision": found.revision, "digest": found.digest, "changed": changed}}


def _then_show(request: Request, changed: ApprovalRequest) -> Answer:
    found = visible_to(actor_of(request)).get(pk=changed.pk)
    return Answer(201, show_one(ApprovalShape, found, request))


def etag(request: ApprovalRequest) -> str:
    """Changes with what is decided on, not with who has signed so far."""
    return _tag(request.revision, request.digest)


def _tag(revision: int, digest: str) -> str:
    return f'"{revision}-{digest[:16]}"'
