"""What a worker knows while it runs one execution as far as it goes: the pinned release, the steps, the lease."""

import json
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from audit import failpoints
from audit.lifecycle import run
from orchestrator.engine.released import Released, released
from orchestrator.models import Execution
from orchestrator.models.execution import stream_of
from orchestrator.statuses import AttemptStatus, StepStatus
from orchestrator.workflows.spec import StepSpec

logger = logging.getLogger(__name__)

# Checks the fence, starts the attempt's clock and renews the lease (time spent in django-q2's queue counted against it).
# The status is a parameter: as a literal it would lead into the index of running attempts, which is mostly dead entries.
# Nobody waits for the disk here: a crash of the database that forgets the beginning forgets nothing that was done, for
# every effect is redeemed, and that waits for the disk and for everything written before it.
_BEGIN = """
UPDATE orchestrator_attempt AS a SET started_at = clock_timestamp(), heartbeat_at = clock_timestamp(),
  lease_expires_at = clock_timestamp() + make_interval(secs => %s)
FROM orchestrator_step AS s, orchestrator_execution AS e
WHERE a.id = ANY (%s) AND a.status = %s AND s.id = a.step_id AND s.attempt_id = a.id AND s.status = 'in_progress'
  AND e.id = s.execution_id
RETURNING a.id, a.worker, s.key, s.id, s.tries, a.number, e.id, e.release_id, e.workflow, e.unit_id, e.unit_title,
  e.trace_id, e.requester, e.requester_name, e.business_key, e.input::text, e.envelope::text, e.deadline_at,
  (SELECT json_agg(json_build_array(key, id, status, output))::text FROM orchestrator_step WHERE execution_id = e.id),
  set_config('synchronous_commit', 'off', true)
"""


@dataclass(slots=True)
class StepState:
    id: UUID
    status: str
    output: dict[str, Any] | None


@dataclass(slots=True)
class Segment:
    """One worker's run through one execution. `execution` carries only what the hot path needs."""

    execution: Execution
    released: Released
    steps: dict[str, StepState]
    key: str
    step_id: UUID
    fence: UUID
    # The host that holds the lease.
    worker: str
    tries: int
    attempt_number: int
    usages: list[Any] = field(default_factory=list)
    # Whether it holds room in a budget that its end gives back.
    is_reserved: bool = False

    @property
    def is_light(self) -> bool:
        """A step of a chain that used nothing and holds no room: it is settled together with others, and its next has begun."""
        return self.released.spec.is_chain and not self.usages and not self.is_reserved

    @property
    def spec(self) -> StepSpec:
        return self.released.spec.step(self.key)

    @property
    def stream(self) -> str:
        return stream_of(self.execution.pk)

    @property
    def states(self) -> dict[str, str]:
        return {key: step.status for key, step in self.steps.items()}

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        return {key: step.output for key, step in self.steps.items() if step.output is not None}


def begin(fence: UUID) -> Segment | None:
    """Start the attempt, or None when it is no longer ours to run (a redelivered task is harmless)."""
    return next(iter(begin_all([fence])), None)


def begin_all(fences: list[UUID], *, unloadable: list[UUID] | None = None) -> list[Segment]:
    """Start these attempts, as far as they are still ours to run: one statement.

    `unloadable` collects those whose release cannot be loaded here; without it that is raised.
    """
    failpoints.hit("begin.before")
    rows = run(_BEGIN, [settings.LEASE_SECONDS, fences, AttemptStatus.RUNNING])
    failpoints.hit("begin.committed")
    segments = []
    for row in rows:
        try:
            segments.append(_segment(*row))
        except Exception:
            if unloadable is None:
                raise
            logger.exception("the release of attempt %s cannot be loaded here", row[0])
            unloadable.append(row[0])
    return segments


def _segment(  # noqa: PLR0917 - the columns of one statement
    fence: UUID,
    worker: str,
    key: str,
    step_id: UUID,
    tries: int,
    number: int,
    execution_id: UUID,
    release_id: UUID,
    workflow: str,
    unit_id: UUID,
    unit_title: str,
    trace_id: UUID,
    requester: str,
    requester_name: str,
    business_key: str,
    input_text: str,
    envelope_text: str,
    deadline_at: datetime | None,
    steps_text: str,
    *_: object,
) -> Segment:
    """In the order of the statement."""
    execution = Execution(
        id=execution_id,
        release_id=release_id,
        workflow=workflow,
        unit_id=unit_id,
        unit_title=unit_title,
        trace_id=trace_id,
        requester=requester,
        requester_name=requester_name,
        business_key=business_key,
        input=json.loads(input_text),
        envelope=json.loads(envelope_text),
        deadline_at=deadline_at,
    )
    return Segment(
        execution=execution,
        released=released(release_id),
        steps=_steps(steps_text),
        key=key,
        step_id=step_id,
        fence=fence,
        worker=worker,
        tries=tries,
        attempt_number=number,
    )


def _steps(text: str) -> dict[str, StepState]:
    return {key: StepState(UUID(id), StepStatus(status), output) for key, id, status, output in json.loads(text)}
