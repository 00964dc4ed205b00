"""The hot path of people: `approve` steps of chains that begin to wait, written many at once, in one statement.

For each: attempt, step and execution are parked, for nothing else of a chain can run meanwhile, and its request is born.
All of it under the fence and the execution's lock, with its audit events.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from audit import events, failpoints
from audit.deadlocks import again
from audit.inserting import insert_of_all
from audit.lifecycle import birth_of, move_picked, run, stale_where_a_guard_failed
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.people import Question, requests_of
from orchestrator.engine.together import counted, locked, the_line
from orchestrator.models.execution import stream_of
from orchestrator.statuses import ATTEMPT, EXECUTION, STEP, AttemptStatus, ExecutionStatus, StepStatus

_GIVEN = locked("why text, asked_in text, asked jsonb")
_ATTEMPTS = move_picked(
    name="attempts",
    lifecycle=ATTEMPT,
    table="orchestrator_attempt",
    before=AttemptStatus.RUNNING,
    to=AttemptStatus.PARKED,
    pick="SELECT fence AS id, why FROM locked",
    set_sql="finished_at = clock_timestamp(), message = p.why",
    returning="1",
)
# This try does not count against the step's limit, and people are given no input but what their request shows.
_STEPS = move_picked(
    name="steps",
    lifecycle=STEP,
    table="orchestrator_step",
    before=StepStatus.IN_PROGRESS,
    to=StepStatus.AWAITING_APPROVAL,
    pick="SELECT step AS id, fence, why FROM locked",
    guard="t.attempt_id = p.fence",
    set_sql="input = '{}', failure_class = '', tries = t.tries - 1, due_at = NULL, why = p.why",
    returning="1",
)
_EXECUTIONS = move_picked(
    name="executions",
    lifecycle=EXECUTION,
    table="orchestrator_execution",
    before=ExecutionStatus.RUNNING,
    to=ExecutionStatus.WAITING,
    pick="SELECT execution AS id FROM locked",
    returning="1",
)
_PARK = f"WITH {_GIVEN}, {_ATTEMPTS}, {_STEPS}, {_EXECUTIONS}"
_RECORD = (
    f"SELECT audit_expect(3 * %(number)s, {counted('attempts', 'steps', 'executions')}), "
    "(SELECT count(audit_append(stream, events)) + count(audit_append(asked_in, asked)) FROM locked)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One `approve` step of a chain that begins to wait."""

    fence: UUID
    question: Question
    why: str

    def row(self, request: ApprovalRequest) -> dict[str, Any]:
        """What the statement is given."""
        execution_id = self.question.execution.pk
        return {
            "fence": str(self.fence),
            "step": str(self.question.step.pk),
            "execution": str(execution_id),
            "why": self.why,
            "stream": stream_of(execution_id),
            "events": self.facts(),
            "asked_in": request.stream,
            "asked": [birth_of(request, by=ENGINE, data=approvals.facts_of(request))],
        }

    def facts(self) -> list[dict[str, Any]]:
        """The audit events of the execution's stream, in order."""
        fact = partial(events.fact, by=ENGINE, unit_id=self.question.execution.unit_id)
        return [
            fact(
                "attempt.parked",
                object_id=self.fence,
                before=AttemptStatus.RUNNING,
                after=AttemptStatus.PARKED,
                why=self.why,
            ),
            fact(
                "step.awaiting_approval",
                object_id=self.question.step.pk,
                before=StepStatus.IN_PROGRESS,
                after=StepStatus.AWAITING_APPROVAL,
                why=self.why,
            ),
            fact(
                "execution.waiting",
                object_id=self.question.execution.pk,
                before=ExecutionStatus.RUNNING,
                after=ExecutionStatus.WAITING,
            ),
        ]


@again
def write(waits: Sequence[Wait]) -> None:
    """Park them all and ask, or none. Raises Stale when a guard of any of them no longer holds."""
    asked = requests_of([one.question for one in waits])
    requests, request_rows = insert_of_all(asked, place="requests")
    notices, notice_rows = insert_of_all([approvals.notice_of(one, by=ENGINE) for one in asked], place="notices")
    failpoints.hit("park.before")
    with stale_where_a_guard_failed():
        run(
            f"{_PARK}, requests AS ({requests}), notices AS ({notices}) {_RECORD}",
            {
                "given": json.dumps([wait.row(request) for wait, request in zip(waits, asked, strict=True)]),
                "number": len(waits),
                "requests": request_rows,
                "notices": notice_rows,
            },
            on=the_line(),
        )
    failpoints.hit("park.committed")
