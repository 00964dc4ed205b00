"""What the API shows of each thing. Field names are the columns' names; units are shown by their short name."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from approvals.models import ApprovalRequest, Decision
from audit.models import AuditEvent
from budgets.models import BusinessUnit, LedgerEntry
from orchestrator.gate.stopped import stops_on
from orchestrator.models import Action, Attempt, DeadLetter, Execution, Step

OBJECT = {"type": "object", "additionalProperties": True}


class Shape(serializers.ModelSerializer[Any]):
    """One thing. `unit` is the unit's short name, looked up once per answer."""

    unit = serializers.SerializerMethodField()

    def get_unit(self, row: Any) -> str | None:
        names: dict[UUID, str] = self.context["units"]
        return names.get(row.unit_id)


def show(shape: type[Shape], rows: Iterable[Any], request: Request, **context: Any) -> list[Any]:
    """Many things as JSON values."""
    rows = list(rows)
    units = _unit_names({row.unit_id for row in rows if row.unit_id})
    return list(shape(rows, many=True, context={"request": request, "units": units, **context}).data)


def show_one(shape: type[Shape], row: Any, request: Request, **context: Any) -> Any:
    return show(shape, [row], request, **context)[0]


def _unit_names(ids: set[UUID]) -> dict[UUID, str]:
    return dict(BusinessUnit.objects.filter(pk__in=ids).values_list("pk", "name"))


# --- Actions -----------------------------------------------------------------------------------------------------


class ApprovalOfAction(serializers.Serializer[Any]):
    """Where an action's approval stands. `expires_at`: to decide while pending, to be used once approved."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    status = serializers.CharField()
    required = serializers.IntegerField()  # type: ignore[assignment]
    expires_at = serializers.DateTimeField(allow_null=True)


class StopOfAction(serializers.Serializer[Any]):
    """A person has stopped what this action would do. It waits, and nothing is lost."""

    id = serializers.UUIDField()
    reason = serializers.CharField()
    since = serializers.DateTimeField()


class Failure(serializers.Serializer[Any]):
    """Why something did not work: the class decides what may follow, the message is for people."""

    message = serializers.CharField()

    def get_fields(self) -> Any:
        return {"class": serializers.CharField(), **super().get_fields()}


class ActionShape(Shape):
    arguments = serializers.SerializerMethodField()
    execution = serializers.UUIDField(source="execution_id", allow_null=True)
    undoes = serializers.UUIDField(source="undoes_id", allow_null=True)
    approval = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    stopped = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = (
            "id", "verdict", "status", "digest", "tier", "effect", "reasons", "required", "approval", "policy_version",
            "tool", "tool_version", "arguments", "agent", "unit", "business_key", "execution", "context", "revision",
            "requester", "requester_name", "result", "error", "stopped", "undoes", "use_by",
            "created_at", "redeemed_at", "finished_at",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_arguments(self, action: Action) -> Any:
        return json.loads(action.arguments)

    @extend_schema_field(ApprovalOfAction(allow_null=True))
    def get_approval(self, action: Action) -> Any:
        approval = self.context["approvals"].get(action.approval_id)
        if approval is None:
            return None
        return {
            "id": approval.pk,
            "url": reverse("api-approval", args=[approval.pk], request=self.context["request"]),
            "status": approval.status,
            "required": approval.required,
            "expires_at": approval.decide_by if approval.is_open else approval.use_by,
        }

    @extend_schema_field(Failure(allow_null=True))
    def get_error(self, action: Action) -> Any:
        return {"class": action.failure_class, "message": action.message} if action.failure_class else None

    @extend_schema_field(StopOfAction(allow_null=True))
    def get_stopped(self, action: Action) -> Any:
        stop = self.context["stops"].get(action.pk)
        return {"id": stop.pk, "reason": stop.reason, "since": stop.engaged_at} if stop else None


def show_actions(actions: Iterable[Action], request: Request) -> list[Any]:
    actions = list(actions)
    approvals = ApprovalRequest.objects.in_bulk([action.approval_id for action in actions if action.approval_id])
    return show(ActionShape, actions, request, approvals=approvals, stops=stops_on(actions))


class TicketShape(serializers.Serializer[Any]):
    """Permission for one dispatch: exactly these arguments, sent with this key, reported under this fence."""

    arguments = serializers.JSONField()
    idempotency_key = serializers.CharField()
    fence = serializers.UUIDField()
    use_by = serializers.DateTimeField(allow_null=True)


# --- Executions --------------------------------------------------------------------------------------------------


class ExecutionShape(Shape):
    release = serializers.CharField(source="release.digest")
    version = serializers.CharField(source="release.version")
    # DRF takes declared fields off the class, so these names hide nothing of its own.
    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    root = serializers.UUIDField(source="root_id")  # type: ignore[assignment]

    class Meta:
        model = Execution
        fields = (
            "id", "workflow", "version", "release", "unit", "status", "why", "requester", "requester_name",
            "business_key", "input", "envelope", "output", "parent", "root", "hop_count", "trace_id", "execution_hash",
            "created_at", "started_at", "finished_at", "deadline_at",
        )  # fmt: skip


class AttemptShape(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = (
            "id", "number", "status", "failure_class", "message", "claimed_at", "started_at", "heartbeat_at",
            "finished_at",
        )  # fmt: skip


class StepShape(Shape):
    attempts = AttemptShape(many=True)

    class Meta:
        model = Step
        fields = (
            "id", "key", "position", "kind", "unit", "status", "why", "failure_class", "input", "output", "due_at",
            "attempt_count", "started_at", "finished_at", "attempts",
        )  # fmt: skip


# --- Approvals ---------------------------------------------------------------------------------------------------


class DecisionShape(serializers.ModelSerializer[Decision]):
    class Meta:
        model = Decision
        fields = ("person_name", "verdict", "reason_code", "note", "digest", "revision", "at")


class ApprovalShape(Shape):
    action = serializers.UUIDField(source="subject_id")
    execution = serializers.UUIDField(source="execution_id", allow_null=True)
    snapshot = serializers.SerializerMethodField()
    decisions = DecisionShape(many=True)

    class Meta:
        model = ApprovalRequest
        fields = (
            "id", "status", "title", "unit", "action", "execution", "tool", "tool_version", "agent", "effect",
            "reversible", "snapshot", "digest", "revision", "tier", "required", "policy_version", "reasons",
            "evidence", "agent_says", "requester", "requester_name", "on_timeout", "decisions", "created_at",
            "decide_by", "use_by", "frozen_at", "resolved_at",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_snapshot(self, request: ApprovalRequest) -> Any:
        return json.loads(request.snapshot)


# --- Dead letters, money, the trail ------------------------------------------------------------------------------


class DeadLetterShape(Shape):
    execution = serializers.UUIDField(source="execution_id")
    step = serializers.CharField(source="step.key")

    class Meta:
        model = DeadLetter
        fields = (
            "id", "status", "unit", "execution", "step", "component", "owner", "runbook", "failure_class", "message",
            "fingerprint", "attempts", "evidence", "first_at", "last_at",
        )  # fmt: skip


class UsageShape(Shape):
    cost = serializers.DecimalField(source="amount", max_digits=20, decimal_places=10, allow_null=True)
    execution = serializers.UUIDField(source="execution_id", allow_null=True)
    action = serializers.UUIDField(source="action_id", allow_null=True)

    class Meta:
        model = LedgerEntry
        fields = (
            "id", "unit", "execution", "action", "agent", "tool", "model", "cost", "currency", "basis",
            "input_tokens", "output_tokens", "at",
        )  # fmt: skip


class EventShape(Shape):
    object = serializers.UUIDField(source="object_id", allow_null=True)
    data = serializers.SerializerMethodField()  # type: ignore[assignment]
    hash = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields = (
            "id", "stream", "seq", "at", "event", "actor", "actor_name", "object", "unit", "before", "after", "why",
            "data", "hash",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_data(self, event: AuditEvent) -> Any:
        return json.loads(event.data) if event.data else {}

    def get_hash(self, event: AuditEvent) -> str:
        return bytes(event.hash).hex()
