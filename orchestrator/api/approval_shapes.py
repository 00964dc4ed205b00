"""Read shapes of approvals: the request with what deciding on it has to bring, its decisions, edits, remarks and claims."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from approvals import snapshots
from approvals.models import ApprovalRequest, BreakGlass, Claim, Decision, Edit, Found, Remark
from approvals.rules import showing
from approvals.rules.permissions import told
from orchestrator.api.base import actor_of
from orchestrator.api.shapes import OBJECT, Account, Shape


class ConfirmationShape(serializers.Serializer[Any]):
    """A second factor was used: for one decision, until then."""

    id = serializers.UUIDField()
    factor = serializers.CharField()
    digest = serializers.CharField()
    revision = serializers.IntegerField()
    good_until = serializers.DateTimeField()


class DecisionShape(serializers.ModelSerializer[Decision]):
    factor = serializers.CharField(source="confirmation.kind", default=None, allow_null=True)
    confirmed_at = serializers.DateTimeField(source="confirmation.at", default=None, allow_null=True)
    person = Account(
        source="person_id", help_text="As `requester` says it: a name may have been another person's before."
    )
    for_person = Account(source="for_person_id", allow_null=True, help_text="Whose right to sign was lent for it")

    class Meta:
        model = Decision
        fields = (
            "person", "person_name", "for_person", "for_person_name", "verdict", "reason_code", "note", "answers", "digest",
            "revision", "viewed", "at", "factor", "confirmed_at", "result",
        )  # fmt: skip


class EmergencyShape(serializers.ModelSerializer[BreakGlass]):
    """One person signed alone where two must. `status` says what the second look afterwards came to; `open`: none yet."""

    person = Account(source="person_id")
    reviewed_by = Account(source="reviewed_by_id", allow_null=True)

    class Meta:
        model = BreakGlass
        fields = (
            "person", "person_name", "reason", "digest", "revision", "broken_at", "status", "reviewed_by",
            "reviewed_by_name", "reviewed_at", "note",
        )  # fmt: skip


class RemarkShape(serializers.ModelSerializer[Remark]):
    class Meta:
        model = Remark
        fields = ("kind", "author", "author_name", "text", "at")


class EditShape(serializers.ModelSerializer[Edit]):
    person = Account(source="person_id")

    class Meta:
        model = Edit
        fields = ("revision", "person", "person_name", "note", "before_digest", "after_digest", "changes", "at")


class ClaimShape(serializers.ModelSerializer[Claim]):
    class Meta:
        model = Claim
        fields = ("person_name", "claimed_at", "held_until")


class ApprovalShape(Shape):
    action = serializers.UUIDField(source="subject_id")
    execution = serializers.UUIDField(source="execution_id", allow_null=True)
    snapshot = serializers.SerializerMethodField()
    decisions = serializers.SerializerMethodField()
    claims = serializers.SerializerMethodField()
    remarks = RemarkShape(many=True)
    edits = EditShape(many=True)
    emergencies = EmergencyShape(many=True)
    view = serializers.SerializerMethodField()
    must_view = serializers.SerializerMethodField()
    must_type = serializers.SerializerMethodField()
    must_confirm = serializers.BooleanField(source="asks_step_up")
    record_found = serializers.ChoiceField(Found.choices, allow_blank=True, help_text="Empty: it was never read again")
    lock = serializers.SerializerMethodField()

    class Meta:
        model = ApprovalRequest
        fields = (
            "id", "status", "title", "unit", "action", "execution", "tool", "tool_version", "agent", "effect",
            "reversible", "snapshot", "digest", "revision", "tier", "required", "needs", "policy_version", "reasons",
            "reason_codes", "checks", "evidence", "agent_says", "requester", "requester_name", "on_timeout",
            "escalate_to", "decisions", "emergencies", "claims", "remarks", "edits", "created_at", "decide_by", "use_by",
            "frozen_at", "resolved_at", "result_schema", "reading_asked_at", "record_read_at", "record_found",
            "record_trouble", "view", "must_view", "must_type", "must_confirm", "lock",
        )  # fmt: skip

    @extend_schema_field(OBJECT)
    def get_snapshot(self, request: ApprovalRequest) -> Any:
        return json.loads(request.snapshot)

    @extend_schema_field(DecisionShape(many=True))
    def get_decisions(self, request: ApprovalRequest) -> Any:
        voices = list(request.decisions.all())
        return DecisionShape(voices if told(request, voices, actor_of(self.context["request"])) else [], many=True).data

    @extend_schema_field(ClaimShape(many=True))
    def get_claims(self, request: ApprovalRequest) -> Any:
        """Who reads it at the moment; of no concern to the agent that waits."""
        if not actor_of(self.context["request"]).is_person:
            return []
        return ClaimShape(request.claims.all(), many=True).data

    def get_view(self, request: ApprovalRequest) -> str:
        """Digest of what the review page shows; a decision may name it, and then counts for nothing else."""
        return showing.view_digest(request)

    def get_must_view(self, request: ApprovalRequest) -> list[str]:
        return list(showing.SECTIONS) if request.required > 1 else []

    def get_must_type(self, request: ApprovalRequest) -> str | None:
        """The argument whose value approving has to repeat as `critical`."""
        value = showing.critical_value(request)
        return value.label if value else None

    def get_lock(self, request: ApprovalRequest) -> str | None:
        """Why nobody can approve this, in words."""
        lock = showing.lock_of(request, snapshots.read(request.snapshot))
        return lock.why if lock else None
