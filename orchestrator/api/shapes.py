"""What the API shows of each thing. Field names are the columns' names; units are shown by their short name."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from approvals.models import ApprovalRequest, Remark, RemarkKind, Verdict
from audit.addresses import in_full
from audit.models import AuditEvent
from audit.verify import canonical_event
from budgets.models import BusinessUnit, LedgerEntry
from orchestrator.engine.drives import tally
from orchestrator.gate.stopped import stops_on
from orchestrator.models import Action, Alert, Attempt, DeadLetter, Execution, FailureGroup, Operation, Step
from orchestrator.queries.failure_record import record_of
from orchestrator.statuses import ItemStatus

OBJECT = {"type": "object", "additionalProperties": True}


class Account(serializers.CharField):
    """Somebody as `requester` says it, out of the id of their account."""

    def __init__(self, **more: Any) -> None:
        super().__init__(read_only=True, **more)

    def to_representation(self, value: Any) -> str:
        return f"user:{value}"


class Shape(serializers.ModelSerializer[Any]):
    """One thing. `unit` is the unit's short name, looked up once per answer."""

    unit = serializers.SerializerMethodField()

    def get_unit(self, row: Any) -> str | None:
        names: dict[UUID, str] = self.context["units"]
        return names.get(row.unit_id)


def show(shape: type[Shape], rows: Iterable[Any], request: Request, **context: Any) -> list[Any]:
    """Many things as JSON values."""
    rows = list(rows)
    units = unit_names({row.unit_id for row in rows if row.unit_id})
    return list(shape(rows, many=True, context={"request": request, "units": units, **context}).data)


def show_one(shape: type[Shape], row: Any, request: Request, **context: Any) -> Any:
    return show(shape, [row], request, **context)[0]


def unit_names(ids: set[UUID]) -> dict[UUID, str]:
    """Short names, as files and commands use them."""
    return dict(BusinessUnit.objects.filter(pk__in=ids).values_list("pk", "name"))


# --- Actions -----------------------------------------------------------------------------------------------------


class ApprovalOfAction(serializers.Serializer[Any]):
    """Where an action's approval stands. `expires_at`: to decide while pending, to be used once approved."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    status = serializers.CharField()
    required = serializers.IntegerField()  # type: ignore[assignment]
    expires_at = serializers.DateTimeField(allow_null=True)
    question = serializers.CharField(allow_null=True, help_text="Asked by a reviewer; `replies/` answers it")
    reason_code = serializers.CharField(allow_null=True, help_text="Why it was rejected or answered")
    note = serializers.CharField(allow_null=True)


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
    proposed_arguments = serializers.SerializerMethodField()
    execution = serializers.UUIDField(source="execution_id", allow_null=True)
    undoes = serializers.UUIDField(source="undoes_id", allow_null=True)
    approval = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    stopped = serializers.SerializerMethodField()

    class Meta:
        model = Action
        fields = (
            "id", "verdict", "status", "digest", "tier", "effect", "reasons", "required", "approval", "policy_version",
            "tool", "tool_version", "arguments", "proposed_arguments", "agent", "unit", "business_key",
            "execution", "context", "revision", "requester", "requester_name", "result", "error", "stopped", "undoes", "use_by",
            "created_at", "redeemed_at", "finished_at",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_arguments(self, action: Action) -> Any:
        return json.loads(action.arguments)

    @extend_schema_field({**OBJECT, "type": ["object", "null"]})
    def get_proposed_arguments(self, action: Action) -> Any:
        """What was proposed, where a reviewer has edited it since; `arguments` is what will be handed out."""
        return json.loads(action.proposed) if action.proposed else None

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
            "question": _question(approval),
            **_reason(approval),
        }

    @extend_schema_field(Failure(allow_null=True))
    def get_error(self, action: Action) -> Any:
        return {"class": action.failure_class, "message": action.message} if action.failure_class else None

    @extend_schema_field(StopOfAction(allow_null=True))
    def get_stopped(self, action: Action) -> Any:
        stop = self.context["stops"].get(action.pk)
        return {"id": stop.pk, "reason": stop.reason, "since": stop.engaged_at} if stop else None


def _question(approval: ApprovalRequest) -> str | None:
    """The open question, if it was sent back with one."""
    asked = [one.text for one in approval.remarks.all() if one.kind == RemarkKind.QUESTION]
    return asked[-1] if asked and approval.is_open and not approval.is_pending else None


def _reason(approval: ApprovalRequest) -> dict[str, str | None]:
    """The coded reason of whoever ended it with a "no" or with a result of their own."""
    ended = [one for one in approval.decisions.all() if one.verdict != Verdict.APPROVE and not approval.is_open]
    return (
        {"reason_code": ended[-1].reason_code, "note": ended[-1].note} if ended else {"reason_code": None, "note": None}
    )


def show_actions(actions: Iterable[Action], request: Request) -> list[Any]:
    actions = list(actions)
    rows = ApprovalRequest.objects.listed().prefetch_related(
        "decisions", Prefetch("remarks", Remark.objects.order_by("at", "id"))
    )
    approvals = rows.in_bulk([action.approval_id for action in actions if action.approval_id])
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


# --- Dead letters ------------------------------------------------------------------------------------------------


class DeadLetterShape(Shape):
    execution = serializers.UUIDField(source="execution_id")
    step = serializers.CharField(source="step.key")
    group = serializers.UUIDField(source="group_id", allow_null=True)
    record = serializers.SerializerMethodField()

    class Meta:
        model = DeadLetter
        fields = (
            "id", "status", "unit", "execution", "step", "component", "owner", "runbook", "failure_class", "message",
            "fingerprint", "attempts", "evidence", "first_at", "last_at", "group", "redrives", "discard_code", "record",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_record(self, letter: DeadLetter) -> Any:
        """Which component, who owns it, what it means and what to do; `redrive_helps` is false where something has to
        change first."""
        return asdict(record_of(letter))


class FailureGroupShape(Shape):
    """Letters of one cause in one unit. `letters` and `open` are counted when asked."""

    letters = serializers.IntegerField(source="letters_number")
    open = serializers.IntegerField()
    last_at = serializers.DateTimeField(allow_null=True)
    taken_by = serializers.CharField(source="taken_by_name")
    fixed_in = serializers.UUIDField(source="fixed_in_id", allow_null=True)
    merged_into = serializers.UUIDField(source="merged_into_id", allow_null=True)

    class Meta:
        model = FailureGroup
        fields = (
            "id", "status", "unit", "component", "step_key", "failure_class", "pattern", "fingerprint", "owner", "runbook",
            "ticket", "taken_by", "letters", "open", "first_at", "last_at", "parked_until", "parked_above", "fixed_in",
            "fixed_at", "merged_into",
        )  # fmt: skip


class AlertShape(Shape):
    """What needs somebody. `evidence` is the address of the page on which it was seen."""

    owner = serializers.CharField(source="owner_name")
    acknowledged_by = serializers.CharField(source="acknowledged_name")
    evidence = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = (
            "id", "status", "unit", "kind", "subject", "title", "severity", "owner", "runbook", "evidence", "detail",
            "count", "first_at", "last_at", "acknowledged_by", "acknowledged_at", "muted_until", "resolved_at",
        )  # fmt: skip

    @extend_schema_field({"type": "string"})
    def get_evidence(self, alert: Alert) -> str:
        return in_full(alert.evidence)


class OperationShape(Shape):
    """One act on many letters. `counts` always add up to all its letters, those left out included."""

    group = serializers.UUIDField(source="group_id")
    counts = serializers.SerializerMethodField()
    failures = serializers.SerializerMethodField()

    class Meta:
        model = Operation
        fields = (
            "id", "status", "unit", "act", "group", "size", "counts", "failures", "per_minute", "stop_percent", "why",
            "person_name", "second_name", "created_at", "confirmed_at", "finished_at",
        )  # fmt: skip

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_counts(self, operation: Operation) -> Any:
        counted = tally(operation.pk)
        return {str(status): counted.of(status) for status in ItemStatus.values}

    @extend_schema_field({"type": "array", "items": OBJECT})
    def get_failures(self, operation: Operation) -> Any:
        """What went wrong or was left out, letter by letter, the first hundred."""
        bad = [ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.LEFT_OUT]
        rows = operation.items.filter(status__in=bad).order_by("place").values("letter_id", "status", "why")
        return [{"letter": str(row["letter_id"]), "status": row["status"], "why": row["why"]} for row in rows[:100]]


class UsageShape(Shape):
    cost = serializers.DecimalField(source="amount", max_digits=20, decimal_places=10, allow_null=True)
    execution = serializers.UUIDField(source="execution_id", allow_null=True)
    action = serializers.UUIDField(source="action_id", allow_null=True)

    class Meta:
        model = LedgerEntry
        fields = (
            "id", "kind", "unit", "execution", "action", "agent", "tool", "provider", "model", "cost", "currency", "basis",
            "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "is_batch",
            "rates", "priced_by", "why", "at",
        )  # fmt: skip


class EventShape(Shape):
    object = serializers.UUIDField(source="object_id", allow_null=True)
    data = serializers.SerializerMethodField()  # type: ignore[assignment]
    hash = serializers.SerializerMethodField()

    class Meta:
        model = AuditEvent
        fields: tuple[str, ...] = (
            "id", "stream", "seq", "at", "event", "actor", "actor_name", "object", "unit", "before", "after", "why",
            "data", "hash",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_data(self, event: AuditEvent) -> Any:
        return json.loads(event.data) if event.data else {}

    def get_hash(self, event: AuditEvent) -> str:
        return bytes(event.hash).hex()


class ChainedEventShape(EventShape):
    """One of a whole chain, with what it takes to compute the chain anew."""

    hashed = serializers.SerializerMethodField()

    class Meta(EventShape.Meta):
        fields = (*EventShape.Meta.fields, "hashed")

    def get_hashed(self, event: AuditEvent) -> str:
        """The event as it was hashed: `hash` is SHA-256 over the hash before (32 bytes, none at first) and this text in UTF-8."""
        return canonical_event(event)
