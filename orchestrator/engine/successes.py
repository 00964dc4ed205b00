"""The hot path: steps of chains that succeeded, settled many at once, in one statement.

For each: attempt and step end, and the next step's first attempt is born, or the execution ends.
All of it under the fence and the execution's lock, with its audit events.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings

from audit import events, failpoints
from audit.deadlocks import again
from audit.lifecycle import move_picked, run, stale_where_a_guard_failed
from orchestrator.engine.claims import ENGINE, NEW_ATTEMPT_COLUMNS
from orchestrator.engine.together import counted, locked, the_line
from orchestrator.models.execution import stream_of
from orchestrator.statuses import ATTEMPT, EXECUTION, STEP, AttemptStatus, ExecutionStatus, StepStatus

_GIVEN = locked("input jsonb, output jsonb, next_step uuid, next_fence uuid, result jsonb")
_ATTEMPTS = move_picked(
    name="attempts",
    lifecycle=ATTEMPT,
    table="orchestrator_attempt",
    before=AttemptStatus.RUNNING,
    to=AttemptStatus.SUCCEEDED,
    pick="SELECT fence AS id FROM locked",
    set_sql="finished_at = clock_timestamp()",
    returning="1",
)
_STEPS = move_picked(
    name="steps",
    lifecycle=STEP,
    table="orchestrator_step",
    before=StepStatus.IN_PROGRESS,
    to=StepStatus.SUCCESS,
    pick="SELECT step AS id, fence, input, output FROM locked",
    guard="t.attempt_id = p.fence",
    set_sql="input = p.input, output = p.output, finished_at = clock_timestamp(), failure_class = '', why = ''",
    returning="1",
)
_NEXT = move_picked(
    name="nexts",
    lifecycle=STEP,
    table="orchestrator_step",
    before=StepStatus.PENDING,
    to=StepStatus.IN_PROGRESS,
    pick="SELECT next_step AS id, next_fence FROM locked WHERE next_step IS NOT NULL",
    set_sql="attempt_id = p.next_fence, attempt_count = t.attempt_count + 1, tries = t.tries + 1, due_at = NULL, "
    "started_at = clock_timestamp()",
    returning="1",
)
_ENDS = move_picked(
    name="ends",
    lifecycle=EXECUTION,
    table="orchestrator_execution",
    before=ExecutionStatus.RUNNING,
    to=ExecutionStatus.SUCCEEDED,
    pick="SELECT execution AS id, result FROM locked WHERE next_step IS NULL",
    set_sql="output = p.result, finished_at = clock_timestamp()",
    returning="1",
)
# Born and begun in one go: the worker that settled the step before it has this one in its hands.
_BORN = (
    f"INSERT INTO orchestrator_attempt ({NEW_ATTEMPT_COLUMNS}, started_at, heartbeat_at) SELECT next_fence, 'running', '', "
    "'', '{}', next_step, execution, unit_id, 1, %(worker)s, clock_timestamp() + make_interval(secs => %(lease)s), "
    "clock_timestamp(), clock_timestamp() FROM locked WHERE next_step IS NOT NULL"
)
_SETTLE = (
    f"WITH {_GIVEN}, {_ATTEMPTS}, {_STEPS}, {_NEXT}, {_ENDS}, born AS ({_BORN}) "
    f"SELECT audit_expect(3 * %(number)s, {counted('attempts', 'steps', 'nexts', 'ends')}), "
    "(SELECT count(audit_append(stream, events)) FROM locked)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """One step of a chain that succeeded. Either `next_step` begins under `next_fence`, or `result` ends the execution."""

    execution_id: UUID
    unit_id: UUID
    fence: UUID
    step_id: UUID
    key: str
    input: dict[str, Any]
    output: dict[str, Any]
    output_digest: str
    worker: str
    next_step: UUID | None = None
    next_fence: UUID | None = None
    result: dict[str, Any] | None = None

    def row(self) -> dict[str, Any]:
        """What the statement is given."""
        return {
            "fence": str(self.fence),
            "step": str(self.step_id),
            "execution": str(self.execution_id),
            "input": self.input,
            "output": self.output,
            "next_step": self.next_step and str(self.next_step),
            "next_fence": self.next_fence and str(self.next_fence),
            "result": self.result,
            "stream": stream_of(self.execution_id),
            "events": self.facts(),
        }

    def facts(self) -> list[dict[str, Any]]:
        """The audit events of it, in order."""
        fact = partial(events.fact, by=ENGINE, unit_id=self.unit_id)
        return [
            fact(
                "attempt.succeeded", object_id=self.fence, before=AttemptStatus.RUNNING, after=AttemptStatus.SUCCEEDED
            ),
            fact(
                "step.success",
                object_id=self.step_id,
                before=StepStatus.IN_PROGRESS,
                after=StepStatus.SUCCESS,
                data={"output_digest": self.output_digest, "step": self.key},
            ),
            fact(
                "execution.succeeded",
                object_id=self.execution_id,
                before=ExecutionStatus.RUNNING,
                after=ExecutionStatus.SUCCEEDED,
            )
            if self.next_step is None
            else fact(
                "step.in_progress",
                object_id=self.next_step,
                before=StepStatus.PENDING,
                after=StepStatus.IN_PROGRESS,
                data={"attempt": str(self.next_fence), "number": 1},
            ),
        ]


@again
def write(successes: Sequence[Success]) -> None:
    """Settle them all, or none. Raises Stale when a guard of any of them no longer holds."""
    failpoints.hit("settle.before")
    with stale_where_a_guard_failed():
        run(
            _SETTLE,
            {
                "given": json.dumps([one.row() for one in successes]),
                "worker": successes[0].worker,
                "lease": float(settings.LEASE_SECONDS),
                "number": len(successes),
            },
            on=the_line(),
        )
    failpoints.hit("settle.committed")
