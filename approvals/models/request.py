"""A request: a frozen snapshot of the thing decided. It needs no other app to be read."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.functional import cached_property

from approvals.models.calendar import BusinessCalendar
from approvals.models.policy import OnTimeout
from approvals.open_hours import Hours, before
from approvals.statuses import REQUEST, UNDECIDED, RequestStatus
from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits


class Found(models.TextChoices):
    """What reading the record again found."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    FAILED = "failed"


# What only the review page shows: it may be large, and stays in the table where rows are listed.
NOT_LISTED = ("snapshot", "evidence", "found", "agent_says")


class ApprovalRequestQuerySet(OfUnits["ApprovalRequest"]):
    def pending(self) -> "ApprovalRequestQuerySet":
        return self.filter(status=RequestStatus.PENDING)

    def undecided(self) -> "ApprovalRequestQuerySet":
        return self.filter(status__in=UNDECIDED)

    def overdue(self) -> "ApprovalRequestQuerySet":
        """Past their time by the database's clock, and of the kind that time ends."""
        return self.undecided().running().filter(decide_by__lte=Now(), on_timeout=OnTimeout.REJECT)

    def lapsed(self) -> "ApprovalRequestQuerySet":
        return self.running().filter(status=RequestStatus.APPROVED, use_by__lte=Now())

    def real(self) -> "ApprovalRequestQuerySet":
        """Without test items: whatever counts work counts these."""
        return self.filter(is_test=False)

    def running(self) -> "ApprovalRequestQuerySet":
        """Their clocks run: no stop covers them. Whatever acts on time asks for these only."""
        return self.filter(frozen_at=None)

    def frozen(self) -> "ApprovalRequestQuerySet":
        """Live, and a stop keeps their clocks still."""
        return self.filter(status__in=[*UNDECIDED, RequestStatus.APPROVED], frozen_at__isnull=False)

    def listed(self) -> "ApprovalRequestQuerySet":
        return self.defer(*NOT_LISTED)

    def due_first(self) -> "ApprovalRequestQuerySet":
        return self.order_by("decide_by", "-required", "id")


# How the words begin where nothing takes the act back, ever. “Not yet” and “not from here” are not that.
FOR_GOOD = "Cannot be undone: "


def effect_on_the_world(effect: str, undone: str) -> str:
    """A write that nothing can undo is as final as an irreversible one. `undone` says how it is undone, or why it cannot be."""
    return "irreversible" if undone.startswith(FOR_GOOD) else effect


def step_of(tool: str) -> str:
    """The step that a request of this tool is about, empty for a call."""
    return tool.removeprefix("step:") if tool.startswith("step:") else ""


class ApprovalRequest(Governed):
    """`snapshot` is the canonical text the digest was taken over; `subject_id` is opaque here."""

    lifecycle: ClassVar[Lifecycle] = REQUEST
    status = models.CharField(
        max_length=10, choices=RequestStatus.choices, default=RequestStatus.PENDING, editable=False
    )
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    subject_id = models.UUIDField()
    execution_id = models.UUIDField(null=True)
    replaces = models.UUIDField(null=True, help_text="The request that was void, so that this one had to be asked")
    title = models.TextField()
    tool = models.TextField()
    tool_version = models.TextField()
    agent = models.TextField()
    effect = models.TextField()
    reversible = models.TextField(help_text="How the act is undone, or why it cannot be")
    snapshot = models.TextField()
    digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    tier = models.TextField()
    required = models.PositiveSmallIntegerField()
    needs = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()), help_text="Groups that must be among the signers"
    )
    # Groups of which a further signature would count, as it stood after the last one; null: any reviewer's would.
    open_to = ArrayField(models.TextField(), null=True)
    reason_codes = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    checks = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    step_up = models.BooleanField(default=False, db_default=False, help_text="A policy asks for a second factor")
    policy_version = models.TextField()
    reasons = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    # What the act's execution was given or had found about the same thing, put here by the control plane.
    found = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    agent_says = models.TextField(default="")
    requester = models.TextField()
    requester_name = models.TextField()
    excluded = models.JSONField(default=list, help_text="Keys of everybody whose signature cannot count")
    duties = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField()), help_text="Why each of them cannot: key to words"
    )
    calendar = models.TextField(default="", db_default="", help_text="The calendar that set the time to decide")
    # That version of it, and how much of its open time there was to decide. Empty where time runs round the clock.
    calendar_id = models.UUIDField(null=True, editable=False)
    open_seconds = models.PositiveIntegerField(null=True, editable=False)
    escalate_to = models.TextField(default="", db_default="")
    on_timeout = models.CharField(max_length=10, choices=OnTimeout.choices, default=OnTimeout.REJECT)
    created_at = models.DateTimeField(db_default=Now())
    decide_by = models.DateTimeField()
    # When the sweep looks for the next step; at birth no later than the first step of any ladder. Empty: at once.
    next_notice_at = models.DateTimeField(null=True, editable=False)
    # Of a step that people do by hand: the JSON Schema of what they have to give. Null: approving is the answer.
    result_schema = models.JSONField(null=True, editable=False)
    use_within_seconds = models.PositiveIntegerField()
    use_by = models.DateTimeField(null=True)
    # Since when a stop has kept its clocks still; lifting moves decide_by and use_by by the time since then.
    frozen_at = models.DateTimeField(null=True, editable=False)
    # How long earlier stops kept them still, all in all: steps on the way to decide_by count it out.
    stood = models.DurationField(default=timedelta(), db_default=timedelta(), editable=False)
    resolved_at = models.DateTimeField(null=True)
    # The record behind the act, read again for its reviewers (approvals.operations.readings): asked, and what was found last.
    reading_asked_at = models.DateTimeField(null=True, editable=False)
    reading_asked_by = models.TextField(default="", db_default="", editable=False)
    record_read_at = models.DateTimeField(null=True, editable=False)
    record_found = models.CharField(max_length=10, choices=Found.choices, default="", db_default="", editable=False)
    record_trouble = models.TextField(default="", db_default="", editable=False)
    # Written by an administrator to see whether reviewers notice (approvals.operations.seeding). No act stands behind it.
    is_test = models.BooleanField(default=False, db_default=False, editable=False)

    objects: Any = ApprovalRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="request_resolved_at_iff_decided",
                condition=Q(status__in=UNDECIDED, resolved_at__isnull=True)
                | (~Q(status__in=UNDECIDED) & Q(resolved_at__isnull=False)),
            ),
            models.CheckConstraint(name="request_needs_1_to_20_people", condition=Q(required__range=(1, 20))),
            models.CheckConstraint(
                name="request_escalates_iff_to_a_group",
                condition=Q(on_timeout=OnTimeout.ESCALATE) & ~Q(escalate_to="")
                | ~Q(on_timeout=OnTimeout.ESCALATE) & Q(escalate_to=""),
            ),
            models.CheckConstraint(
                name="test_request_opens_nothing", condition=Q(is_test=False) | ~Q(status=RequestStatus.USED)
            ),
            models.UniqueConstraint(
                name="one_live_request_per_subject",
                fields=["subject_id"],
                condition=Q(status__in=[*UNDECIDED, RequestStatus.APPROVED]),
            ),
        ]
        indexes = [
            models.Index(
                name="request_queue",
                fields=["unit_id", "decide_by", "id"],
                condition=Q(status=RequestStatus.PENDING),
            ),
            models.Index(
                name="request_due_first",
                fields=["decide_by", "-required", "id"],
                condition=Q(status=RequestStatus.PENDING),
            ),
            models.Index(
                name="request_first_of_agent",
                fields=["agent", "decide_by", "-required", "id"],
                # What the queue filters by and tells of them: ten thousand rows need not be read for it.
                include=["unit_id", "tier", "tool"],
                condition=Q(status=RequestStatus.PENDING),
            ),
            # Counting reads nothing but this. The agent is not in its key: for the first requests of one agent there is
            # request_first_of_agent, and with a choice of two the planner took the wrong one on some samples of the same rows.
            models.Index(
                name="request_counted",
                fields=["unit_id"],
                include=["agent", "tool", "id", "tier", "decide_by"],
                condition=Q(status=RequestStatus.PENDING),
            ),
            models.Index(name="request_asker", fields=["requester"], condition=Q(status=RequestStatus.PENDING)),
            GinIndex(
                name="request_excluded",
                fields=["excluded"],
                opclasses=["jsonb_path_ops"],
                condition=Q(status=RequestStatus.PENDING),
            ),
            # Those that not every reviewer could sign: taken away from a reviewer's list by id.
            models.Index(
                name="request_open_to", fields=["id"], condition=Q(status=RequestStatus.PENDING, open_to__isnull=False)
            ),
            models.Index(name="request_by_status", fields=["status", "-created_at", "-id"]),
            models.Index(
                name="request_next_notice",
                fields=["next_notice_at"],
                condition=Q(status__in=UNDECIDED, frozen_at__isnull=True),
            ),
            models.Index(name="request_tool", fields=["tool", "unit_id"]),
            models.Index(name="request_by_time", fields=["unit_id", "-created_at", "-id"]),
            models.Index(
                name="request_reading_asked",
                fields=["subject_id"],
                condition=Q(status=RequestStatus.PENDING, reading_asked_at__isnull=False),
            ),
            models.Index(name="request_execution", fields=["execution_id"]),
            models.Index(
                name="request_frozen",
                fields=["id"],
                condition=Q(status__in=[*UNDECIDED, RequestStatus.APPROVED], frozen_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("approval", args=[self.pk])

    @property
    def is_frozen(self) -> bool:
        """A decision ends the matter, frozen or not."""
        return self.frozen_at is not None and self.status in {*UNDECIDED, RequestStatus.APPROVED}

    @cached_property
    def hours(self) -> Hours | None:
        """The open hours that its time to decide counts; None where that runs round the clock."""
        return BusinessCalendar.objects.get(pk=self.calendar_id).hours if self.calendar_id else None

    def after(self, percent: int) -> datetime:
        """When so much of the time to decide is over; the time that stops took is counted out, and closed hours are."""
        if self.hours is not None and self.open_seconds is not None:
            return before(self.decide_by, self.open_seconds * (100 - percent) / 100, self.hours)
        begins = self.created_at + self.stood
        return begins + (self.decide_by - begins) * percent / 100

    @property
    def is_open(self) -> bool:
        """Nobody has decided yet."""
        return self.status in UNDECIDED

    @property
    def is_call(self) -> bool:
        """About a tool call, which has arguments and a result; else about a step that people let go on."""
        return not self.step_key

    @property
    def step_key(self) -> str:
        """The step that it is about, empty for a call."""
        return step_of(self.tool)

    @property
    def is_by_hand(self) -> bool:
        """About a step that failed and is now somebody's to do: answered with its result, never with a bare yes."""
        return self.result_schema is not None

    @property
    def asks_step_up(self) -> bool:
        """Whoever decides confirms it with a second factor: where two people sign always, else where a policy says so."""
        return self.required > 1 or self.step_up

    @property
    def is_pending(self) -> bool:
        """It waits for reviewers, not for an answer to a question of theirs."""
        return self.status == RequestStatus.PENDING
