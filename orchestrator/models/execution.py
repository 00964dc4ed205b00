"""One run of a workflow, its steps (nodes of the graph) and their attempts (one try each, under a lease)."""

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.urls import reverse

from audit.lifecycle import Governed, Lifecycle
from audit.scope import OfUnits
from orchestrator.models.release import Release
from orchestrator.statuses import ATTEMPT, EXECUTION, STEP, AttemptStatus, ExecutionStatus, StepStatus

# What undoes an execution is an execution: of the workflow so called, and the undone one is its parent. No workflow file can
# have such a name.
UNDO = "undo:"


def stream_of(execution_id: UUID) -> str:
    """Everything that happens to an execution is one chain, in order."""
    return f"execution:{execution_id}"


class ExecutionQuerySet(OfUnits["Execution"]):
    def undoing(self) -> "ExecutionQuerySet":
        """Executions that undo another."""
        return self.filter(parent_id__isnull=False, workflow__startswith=UNDO)

    def live(self) -> "ExecutionQuerySet":
        return self.filter(status__in=[ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.WAITING])

    def newest_first(self) -> "ExecutionQuerySet":
        return self.order_by("-created_at", "-id")

    def trace_of(self, execution_id: UUID | None) -> UUID | None:
        """The trace it belongs to; None where the id is that of no execution of ours, but of another system's run."""
        return self.filter(pk=execution_id).values_list("trace_id", flat=True).first() if execution_id else None


class Execution(Governed):
    lifecycle: ClassVar[Lifecycle] = EXECUTION
    status = models.CharField(
        max_length=20, choices=ExecutionStatus.choices, default=ExecutionStatus.QUEUED, editable=False
    )
    workflow = models.CharField(max_length=200)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, db_index=False)
    unit_id = models.UUIDField()
    unit_title = models.TextField()
    requester = models.TextField()
    requester_name = models.TextField()
    business_key = models.TextField(default="")
    input = models.JSONField(default=dict)
    envelope = models.JSONField(default=dict)
    output = models.JSONField(null=True)
    parent_id = models.UUIDField(null=True)
    root_id = models.UUIDField()
    hop_count = models.PositiveSmallIntegerField(default=0)
    trace_id = models.UUIDField()
    execution_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    why = models.TextField(default="")

    objects: Any = ExecutionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_undo_under_way_per_execution",
                fields=["parent_id"],
                condition=Q(workflow__startswith=UNDO, status__in=["queued", "running", "waiting", "dead_lettered"]),
            )
        ]
        indexes = [
            # A trace that began elsewhere. Whatever began its own is found by its id.
            models.Index(name="execution_joins_trace", fields=["trace_id"], condition=~Q(trace_id=F("id"))),
            models.Index(name="execution_parent", fields=["parent_id"], condition=Q(parent_id__isnull=False)),
            models.Index(name="execution_unit_time", fields=["unit_id", "-created_at", "-id"]),
            # For a page of those of many units.
            models.Index(name="execution_time", fields=["-created_at", "-id"]),
            models.Index(name="execution_unit_status", fields=["unit_id", "status", "-created_at"]),
            # The search for traces that were slower than so much.
            models.Index(
                ExpressionWrapper(F("finished_at") - F("created_at"), models.DurationField()),
                name="execution_took",
                condition=Q(finished_at__isnull=False),
            ),
            models.Index(
                name="execution_deadline",
                fields=["deadline_at"],
                condition=Q(status__in=["queued", "running", "waiting"], deadline_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {str(self.pk)[-8:]}"

    def get_absolute_url(self) -> str:
        return reverse("execution", args=[self.pk])

    @property
    def stream(self) -> str:
        return stream_of(self.pk)

    @property
    def is_final(self) -> bool:
        return self.status in EXECUTION.final

    @property
    def is_undo(self) -> bool:
        return self.parent_id is not None and self.workflow.startswith(UNDO)


class StepQuerySet(models.QuerySet["Step"]):
    def in_order(self) -> "StepQuerySet":
        return self.order_by("position")

    def throttled_due(self) -> "StepQuerySet":
        return self.filter(status=StepStatus.THROTTLED, due_at__lte=Now())

    def due_timers(self) -> "StepQuerySet":
        return self.filter(status=StepStatus.SCHEDULED, due_at__lte=Now())


class Step(Governed):
    """A node of the graph. `due_at` null means: waits for the steps it needs. `attempt_id` is the fence in force."""

    lifecycle: ClassVar[Lifecycle] = STEP
    status = models.CharField(max_length=20, choices=StepStatus.choices, default=StepStatus.PENDING, editable=False)
    # Every status change writes every index anew, so there is one per question asked: the constraint below has one, too.
    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="steps", db_index=False)
    unit_id = models.UUIDField()
    key = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20)
    spec = models.JSONField()
    input = models.JSONField(null=True)
    output = models.JSONField(null=True)
    due_at = models.DateTimeField(null=True)
    attempt_id = models.UUIDField(null=True)
    # The limit a throttled step waits for.
    waits_for = models.UUIDField(null=True)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    # Tries that count against max_attempts: a parked try gives its count back, a crashed one does not.
    tries = models.PositiveSmallIntegerField(default=0)
    failure_class = models.TextField(default="")
    why = models.TextField(default="")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: Any = StepQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_step_per_key", fields=["execution", "key"]),
            models.CheckConstraint(
                name="step_in_progress_has_a_fence",
                condition=~Q(status=StepStatus.IN_PROGRESS) | Q(attempt_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="step_due", fields=["due_at"], condition=Q(status=StepStatus.PENDING, due_at__isnull=False)
            ),
            models.Index(
                name="step_due_of_unit",
                fields=["unit_id", "due_at"],
                condition=Q(status=StepStatus.PENDING, due_at__isnull=False),
            ),
            models.Index(name="step_timer", fields=["due_at"], condition=Q(status=StepStatus.SCHEDULED)),
            models.Index(
                name="step_parked",
                fields=["execution"],
                condition=Q(status__in=["awaiting_approval", "unknown_outcome", "budget_hold"]),
            ),
            models.Index(
                name="step_throttled", fields=["waits_for", "due_at"], condition=Q(status=StepStatus.THROTTLED)
            ),
            models.Index(name="step_stopped", fields=["unit_id"], condition=Q(status=StepStatus.STOPPED)),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_over(self) -> bool:
        """It is, or its execution: nothing more is done in it."""
        return self.status in STEP.final or self.execution.is_final

    @property
    def stream(self) -> str:
        return stream_of(self.execution_id)


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def in_order(self) -> "AttemptQuerySet":
        return self.order_by("number")

    def abandoned(self) -> "AttemptQuerySet":
        """The lease ran out by the database's clock: workers' clocks drift, and the lease is a promise between them."""
        return self.filter(status=AttemptStatus.RUNNING, lease_expires_at__lte=Now())


class Attempt(Governed):
    """One try. Its id is the fencing token: every later write names it, so a worker back from the dead changes nothing."""

    lifecycle: ClassVar[Lifecycle] = ATTEMPT
    status = models.CharField(
        max_length=20, choices=AttemptStatus.choices, default=AttemptStatus.RUNNING, editable=False
    )
    step = models.ForeignKey(Step, on_delete=models.PROTECT, related_name="attempts", db_index=False)
    execution_id = models.UUIDField()
    unit_id = models.UUIDField()
    number = models.PositiveSmallIntegerField()
    worker = models.TextField()
    claimed_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    failure_class = models.TextField(default="")
    message = models.TextField(default="")
    evidence = models.JSONField(default=dict)

    objects: Any = AttemptQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_attempt_per_number", fields=["step", "number"])]
        # Also what finds the attempts of one worker: only few run at a time.
        indexes = [
            models.Index(name="attempt_lease", fields=["lease_expires_at"], condition=Q(status=AttemptStatus.RUNNING)),
            # Few fail, and the search for traces asks which.
            models.Index(name="attempt_failed", fields=["execution_id"], condition=~Q(failure_class="")),
            models.Index(
                name="attempt_failed_so", fields=["failure_class", "execution_id"], condition=~Q(failure_class="")
            ),
        ]

    @property
    def stream(self) -> str:
        return stream_of(self.execution_id)
