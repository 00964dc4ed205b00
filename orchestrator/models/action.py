"""A tool call as a proposal: exact bytes, digest, verdict, approval, key, outcome. Also the idempotency-key registry."""

from datetime import timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.urls import reverse

from audit.ids import new_id
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from orchestrator.models.execution import stream_of
from orchestrator.statuses import ACTION, ActionStatus

# How long whoever carries a call out may take to say what came of it, where no lease tells that they are at it.
LAST_WORD_WITHIN = timedelta(hours=1)
# An action in one of these no longer stands for its place in the step: the next proposal there is a new action.
ENDED_UNUSED = [ActionStatus.VOID, ActionStatus.WITHDRAWN]
# Nothing was sent, and nothing will be: of a compensation that ended so, another one may be proposed.
CAME_TO_NOTHING = [*ENDED_UNUSED, ActionStatus.DENIED, ActionStatus.REJECTED, ActionStatus.EXPIRED]


class Denial(models.TextChoices):
    """The first of these that holds is counted (docs/kpis.md)."""

    TOOL = "tool", "Unsafe tool attempts"
    BOUNDARY = "boundary", "Data-boundary breaches"
    ARGUMENTS = "arguments", "Arguments that do not fit"
    POLICY = "policy", "Policy violations"


UNREPORTED = "unreported"
_GONE = Q(step_id=None, redeemed_at__lte=Now() - LAST_WORD_WITHIN)


class ActionQuerySet(OfUnits["Action"]):
    def newest_first(self) -> "ActionQuerySet":
        return self.order_by("-created_at", "-id")

    def unknown(self) -> "ActionQuerySet":
        """Sent, and nobody knows whether it happened."""
        return self.filter(status=ActionStatus.UNKNOWN)

    def under_way(self) -> "ActionQuerySet":
        """Sent, and not reported. A foreign agent that is gone tells nobody: what it sent is under way for so long at most."""
        return self.filter(~_GONE, status=ActionStatus.REDEEMED)

    def unreported(self) -> "ActionQuerySet":
        """The others that were sent. What only reads stays so, and is asked of nobody: its report counts whenever it comes."""
        return self.filter(_GONE, status=ActionStatus.REDEEMED)

    def with_state(self) -> "ActionQuerySet":
        """`state` is the status in the words of pages, which call nothing under way that nobody is at."""
        silent = When(_GONE & Q(status=ActionStatus.REDEEMED), then=Value(UNREPORTED))
        return self.annotate(state=Case(silent, default=F("status")))

    def took_effect(self) -> "ActionQuerySet":
        """Known to have done something to the world, or said to have been done by a person."""
        return self.filter(status__in=[ActionStatus.SUCCEEDED, ActionStatus.ANSWERED]).exclude(effect="read")

    def sent_under_key_of(self, action: "Action") -> "ActionQuerySet":
        """Calls that went out to its tool under its business key, its own among them; none where it has no such key."""
        sent = self.filter(tool=action.tool, business_key=action.business_key, redeemed_at__isnull=False)
        return sent.exclude(effect="read").exclude(business_key="")


class Action(Governed):
    """`arguments` is the canonical text that was digested and approved; redeeming hands out exactly these bytes."""

    lifecycle: ClassVar[Lifecycle] = ACTION
    status = models.CharField(
        max_length=20, choices=ActionStatus.choices, default=ActionStatus.PROPOSED, editable=False
    )
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    agent = models.TextField()
    tool = models.TextField()
    tool_version = models.TextField()
    effect = models.TextField()
    tier = models.TextField()
    execution_id = models.UUIDField(null=True)
    # Of a call that stands alone: the trace its caller is in. Empty: it is one of its own.
    trace_id = models.UUIDField(null=True)
    step_id = models.UUIDField(null=True)
    occurrence = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    arguments = models.TextField()
    proposed = models.TextField(
        db_default="", default="", help_text="The arguments as the agent proposed them, once a reviewer has edited them"
    )
    digest = models.CharField(max_length=64)
    record = models.TextField(default="", help_text="Canonical authoritative record as it was when asked")
    business_key = models.TextField(default="")
    idempotency_key = models.CharField(max_length=255)
    context = models.JSONField(default=dict)
    verdict = models.CharField(max_length=10, default="")
    # Why the gate said no, in one word; empty where it did not, and for calls from before it was kept.
    denial = models.CharField(max_length=10, default="", db_default="", blank=True, choices=Denial.choices)
    reasons = models.JSONField(default=list)
    required = models.PositiveSmallIntegerField(default=0)
    policy_version = models.TextField(default="")
    # The lowered tier that let it through with fewer signatures than its tool's tier asks for.
    bypass_id = models.UUIDField(null=True)
    requester = models.TextField()
    requester_name = models.TextField()
    approval_id = models.UUIDField(null=True)
    fence = models.UUIDField(null=True)
    use_by = models.DateTimeField(null=True)
    result = models.JSONField(null=True)
    failure_class = models.TextField(default="")
    message = models.TextField(default="")
    undoes_id = models.UUIDField(null=True)
    # An earlier send may have happened, and nothing has told since: neither its own answer, nor a look-up, nor a person.
    in_doubt = models.BooleanField(default=False, db_default=False)
    # While it is unknown whether it happened: how often the other side's books were asked, and when something is due next.
    looks = models.PositiveSmallIntegerField(db_default=0, default=0)
    next_look_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    redeemed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: Any = ActionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_live_action_per_tool_and_key",
                fields=["tool", "idempotency_key"],
                condition=~Q(status__in=["void", "withdrawn"]),
            ),
            models.UniqueConstraint(
                name="one_live_action_per_occurrence",
                fields=["step_id", "occurrence"],
                condition=Q(step_id__isnull=False) & ~Q(status__in=["void", "withdrawn"]),
            ),
            models.UniqueConstraint(
                name="one_live_compensation_per_action",
                fields=["undoes_id"],
                condition=Q(undoes_id__isnull=False)
                & ~Q(status__in=["void", "withdrawn", "denied", "rejected", "expired", "failed"]),
            ),
            models.CheckConstraint(
                name="redeemed_action_has_a_fence",
                condition=~Q(status=ActionStatus.REDEEMED) | Q(fence__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="action_unit_time", fields=["unit_id", "-created_at", "-id"]),
            # The list of many units, and what it is narrowed to: of one that nothing is of, too.
            models.Index(name="action_time", fields=["-created_at", "-id"]),
            models.Index(name="action_agent_time", fields=["agent", "-created_at", "-id"]),
            models.Index(name="action_tool_time", fields=["tool", "-created_at", "-id"]),
            models.Index(name="action_status_time", fields=["status", "-created_at", "-id"]),
            models.Index(name="action_verdict_time", fields=["verdict", "-created_at", "-id"]),
            models.Index(name="action_tier_time", fields=["tier", "-created_at", "-id"]),
            models.Index(name="action_execution", fields=["execution_id", "created_at"]),
            models.Index(name="action_joins_trace", fields=["trace_id"], condition=Q(trace_id__isnull=False)),
            models.Index(
                name="action_held_by_a_stop",
                fields=["unit_id"],
                condition=Q(status=ActionStatus.HELD, approval_id__isnull=True),
            ),
            # Another call to the same tool about the same thing: what a look-up finds may be that one's.
            models.Index(
                name="action_sent_under",
                fields=["tool", "business_key"],
                condition=Q(redeemed_at__isnull=False) & ~Q(business_key="") & ~Q(effect="read"),
            ),
            models.Index(
                name="action_denied",
                fields=["unit_id", "created_at"],
                include=["denial", "agent"],
                condition=Q(status=ActionStatus.DENIED),
            ),
            models.Index(name="action_failed", fields=["execution_id"], condition=~Q(failure_class="")),
            models.Index(
                name="action_failed_so", fields=["failure_class", "execution_id"], condition=~Q(failure_class="")
            ),
            models.Index(name="action_undoes", fields=["undoes_id"], condition=Q(undoes_id__isnull=False)),
            models.Index(name="action_redeemed", fields=["fence"], condition=Q(status=ActionStatus.REDEEMED)),
            models.Index(name="action_unknown", fields=["next_look_at"], condition=Q(status=ActionStatus.UNKNOWN)),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {str(self.pk)[-8:]}"

    def get_absolute_url(self) -> str:
        return reverse("action", args=[self.pk])

    def is_call(self, tool: str, arguments: str) -> bool:
        """Whether this is what was called for: an agent repeats what it proposed, not what a reviewer made of it."""
        return (self.tool, self.proposed or self.arguments) == (tool, arguments)

    @property
    def stream(self) -> str:
        return stream_of(self.execution_id) if self.execution_id else f"action:{self.pk}"


class StoredReply(models.Model):
    """The answer to one mutating API call, kept 30 days: the same key and body get the same answer."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    caller = models.TextField()
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64)
    status_code = models.PositiveSmallIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(name="one_reply_per_caller_and_key", fields=["caller", "key"])]
        indexes = [models.Index(name="reply_age", fields=["created_at"])]

    def __str__(self) -> str:
        return f"{self.status_code} to {self.key}"
