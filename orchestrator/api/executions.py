"""`executions/`: start a workflow, follow it, stop it, and take its evidence along."""

from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.models import ApprovalRequest
from audit.models import AuditEvent
from audit.queries import one_moment, visible_or_refuse
from budgets.queries import LetThrough, let_through
from orchestrator.api import actions, approvals
from orchestrator.api.approval_shapes import ApprovalShape
from orchestrator.api.base import PEOPLE, ApiView, actor_of, either
from orchestrator.api.bodies import Reason
from orchestrator.api.contract import listing
from orchestrator.api.fields import Body, Id, Object, Text, read
from orchestrator.api.idempotency import Answer, once
from orchestrator.api.lists import Cursors, Filter, choice, page_of, refuse_unknown_parameters, text, unit, uuid, when
from orchestrator.api.shapes import (
    Account,
    ActionShape,
    ChainedEventShape,
    ExecutionShape,
    StepShape,
    show,
    show_actions,
    show_one,
)  # fmt: skip
from orchestrator.api.units import unit_named
from orchestrator.gate.envelope import ENVELOPE_SCHEMA
from orchestrator.models import Action, Attempt, Execution, OutcomeAnswer, StepPatch
from orchestrator.operations import executions
from orchestrator.operations.undo_plan import plan_of
from orchestrator.releases.undoing import undo_execution
from orchestrator.statuses import ExecutionStatus
from orchestrator.telemetry.traceparent import trace_of

READ = either("executions:read")
NEWEST_FIRST = Cursors(("-created_at", "-id"))
FILTERS = {
    "status": Filter("status", choice(*ExecutionStatus.values)),
    "workflow": Filter("workflow", text),
    "release": Filter("release__digest", text),
    "unit": Filter("unit_id", unit),
    "business_key": Filter("business_key", text),
    "requester": Filter("requester", text),
    "parent": Filter("parent_id", uuid),
    "root": Filter("root_id", uuid),
    "created_after": Filter("created_at__gte", when),
    "created_before": Filter("created_at__lt", when),
}
# Far above what one execution writes; a pack that had to be cut says so.
MOST_EVENTS = 10_000


@extend_schema_field(ENVELOPE_SCHEMA)
class Envelope(Object):
    """The task envelope; its fields are checked by the verb, which names each that is wrong."""


class Start(Body):
    workflow = Text(max_length=200)
    input = Object()
    unit = Text(max_length=80, required=False, help_text="Short name. Default: the token's unit")
    business_key = Text(max_length=300, required=False, allow_blank=True)
    release = Text(
        max_length=64,
        required=False,
        allow_null=True,
        help_text="Digest. Default: what production runs; a token may name no other",
    )
    envelope = Envelope(required=False)


class Executions(ApiView):
    doors = {"GET": READ, "POST": either("executions:start")}
    filters = FILTERS

    @extend_schema(responses=listing(ExecutionShape), summary="List executions, newest first")
    def get(self, request: Request) -> Response:
        rows = _rows(request)
        return page_of(request, rows, NEWEST_FIRST, FILTERS, lambda found: show(ExecutionShape, found, request))

    @extend_schema(request=Start, responses={201: ExecutionShape}, summary="Start an execution")
    def post(self, request: Request) -> HttpResponse:
        body = read(Start, request.data)
        return once(request, lambda: _start(request, body))


def _start(request: Request, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    # Looked up here first, so that a name the caller may not see is answered like one that does not exist.
    where = unit_named(body.pop("unit", None), by)
    trace_id = trace_of(request.headers.get("traceparent", ""))
    if trace_id is not None:
        # What the envelope names outranks what the caller's HTTP library adds by itself.
        body["envelope"] = {"trace_id": str(trace_id), **(body.get("envelope") or {})}
    started = executions.start(unit=where.name, by=by, **body)
    return Answer(201, show_one(ExecutionShape, _visible(request, started.pk), request))


class OneExecution(ApiView):
    doors = {"GET": READ}

    @extend_schema(responses=ExecutionShape, summary="Read an execution")
    def get(self, request: Request, execution_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        return Response(show_one(ExecutionShape, _visible(request, execution_id), request))


class Cancellations(ApiView):
    doors = {"POST": either("executions:start")}

    @extend_schema(request=Reason, responses={200: ExecutionShape}, summary="Stop an execution")
    def post(self, request: Request, execution_id: UUID) -> HttpResponse:
        why = read(Reason, request.data)["reason"]
        return once(request, lambda: _cancel(request, execution_id, why))


def _cancel(request: Request, execution_id: UUID, why: str) -> Answer:
    execution = executions.cancel(execution_id=execution_id, by=actor_of(request), why=why)
    return Answer(200, show_one(ExecutionShape, execution, request))


class UndoBody(Body):
    """Why, and which effects; without `actions`, all that can be undone."""

    reason = Text(max_length=1_000)
    actions = serializers.ListField(child=Id(), min_length=1, max_length=5_000, required=False)


class Undos(ApiView):
    doors = {"POST": PEOPLE}

    @extend_schema(
        request=UndoBody,
        responses={201: ExecutionShape},
        summary="Undo what an ended execution did, by another execution",
    )
    def post(self, request: Request, execution_id: UUID) -> HttpResponse:
        body = read(UndoBody, request.data)
        return once(request, lambda: _undo(request, execution_id, body))


def _undo(request: Request, execution_id: UUID, body: dict[str, Any]) -> Answer:
    by = actor_of(request)
    run = undo_execution(execution_id=execution_id, by=by, why=body["reason"], only=body.get("actions"))
    return Answer(201, show_one(ExecutionShape, _visible(request, run.pk), request))


class Steps(ApiView):
    doors = {"GET": READ}

    @extend_schema(responses=listing(StepShape), summary="An execution's steps with their attempts, in order")
    def get(self, request: Request, execution_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        steps = _steps(_visible(request, execution_id), request)
        return Response({"results": steps, "next": None, "previous": None})


class HowUndone(serializers.Serializer[Any]):
    """How one effect on the world is taken back, or why it cannot be."""

    action = serializers.UUIDField()
    state = serializers.CharField(help_text="can, cannot, under_way or undone")
    how = serializers.CharField()
    compensation = serializers.UUIDField(
        allow_null=True, help_text="The action that takes it back, or has; `actions/ID/`"
    )


class PatchShape(serializers.ModelSerializer[StepPatch]):
    """What a person made of a step's input after it had failed with the one before."""

    step = serializers.CharField(source="step.key")
    person = Account(source="person_id")

    class Meta:
        model = StepPatch
        fields = (
            "step", "number", "before", "after", "before_digest", "after_digest", "why", "person", "person_name", "at",
        )  # fmt: skip


class FoundShape(serializers.ModelSerializer[OutcomeAnswer]):
    """What a person found out about a call that was sent and that nobody answered for."""

    action = serializers.UUIDField(source="action_id")
    person = Account(source="person_id")

    class Meta:
        model = OutcomeAnswer
        fields = ("action", "person", "person_name", "verdict", "code", "note", "result", "at")


class ExceptionShape(serializers.Serializer[LetThrough]):
    """Two people let the execution go on over a budget that had no room for it."""

    name = serializers.CharField(source="exception.name")
    budget = serializers.CharField(source="exception.budget")
    why = serializers.CharField(source="exception.why")
    drafted_by = serializers.CharField(source="drafted.actor")
    drafted_by_name = serializers.CharField(source="drafted.actor_name")
    drafted_at = serializers.DateTimeField(source="drafted.at")
    activated_by = serializers.CharField(source="activated.actor")
    activated_by_name = serializers.CharField(source="activated.actor_name")
    activated_at = serializers.DateTimeField(source="activated.at")


class EvidencePack(serializers.Serializer[Any]):
    """Everything needed to check afterwards what happened and who signed it."""

    execution = ExecutionShape()
    steps = StepShape(many=True)
    patches = PatchShape(many=True, help_text="Inputs that people changed, the oldest first")
    actions = ActionShape(many=True)
    found = FoundShape(many=True, help_text="What people found out about calls nobody answered for, the oldest first")
    approvals = ApprovalShape(many=True)
    exceptions = ExceptionShape(many=True, help_text="Budgets that two people let it go on over, the first one first")
    undo = HowUndone(many=True, help_text="Of every effect, the last one first, as undoing it now would answer")
    events = ChainedEventShape(
        many=True, help_text="The audit chain of the execution, oldest first, with each event's hash"
    )
    complete = serializers.BooleanField(help_text="False where events were cut, or calls are not the reader's to see")


class Evidence(ApiView):
    doors = {"GET": READ}

    @extend_schema(responses=EvidencePack, summary="The evidence of an execution, in one document")
    def get(self, request: Request, execution_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        with one_moment():
            return Response(self._pack(request, execution_id))

    def _pack(self, request: Request, execution_id: UUID) -> dict[str, Any]:
        execution, by = _visible(request, execution_id), actor_of(request)
        patches = StepPatch.objects.filter(step__execution=execution).select_related("step").order_by("at", "id")
        events = list(AuditEvent.objects.filter(stream=execution.stream).oldest_first()[: MOST_EVENTS + 1])
        # An agent reads its own calls and no neighbour's, here as at their own addresses.
        calls = list(_of(execution, actions.visible_to(by)))
        asked = list(_of(execution, approvals.visible_to(by)))
        there = _of(execution, Action.objects).count() + _of(execution, ApprovalRequest.objects).count()
        return {
            "execution": show_one(ExecutionShape, execution, request),
            "steps": _steps(execution, request),
            "patches": PatchShape(patches, many=True).data,
            "actions": show_actions(calls, request),
            "found": FoundShape(OutcomeAnswer.objects.filter(action__in=calls).order_by("at"), many=True).data,
            "approvals": show(ApprovalShape, asked, request),
            "exceptions": ExceptionShape(let_through(execution.pk), many=True).data,  # type: ignore[arg-type]
            "undo": _undone(execution, calls),
            "events": show(ChainedEventShape, events[:MOST_EVENTS], request),
            "complete": len(events) <= MOST_EVENTS and there == len(calls) + len(asked),
        }


def _undone(execution: Execution, calls: list[Action]) -> list[dict[str, Any]]:
    told = {call.pk for call in calls}
    effects = [effect for effect in plan_of(execution).effects if effect.action.pk in told]
    return [
        {
            "action": str(effect.action.pk),
            "state": effect.state,
            "how": effect.why,
            "compensation": str(effect.compensation) if effect.compensation else None,
        }
        for effect in effects
    ]


def _of(execution: Execution, rows: Any) -> Any:
    return rows.filter(execution_id=execution.pk).order_by("created_at", "id")


def _visible(request: Request, execution_id: UUID) -> Execution:
    return visible_or_refuse(_rows(request), execution_id, "execution")  # type: ignore[no-any-return]


def _rows(request: Request) -> QuerySet[Execution]:
    """A release holds all of its code: only its name is told here."""
    rows = Execution.objects.visible_to(actor_of(request)).select_related("release")
    return rows.defer("release__bundle")


def _steps(execution: Execution, request: Request) -> list[Any]:
    attempts = Prefetch("attempts", Attempt.objects.in_order())
    return show(StepShape, execution.steps.in_order().prefetch_related(attempts), request)
