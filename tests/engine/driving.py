"""Drives executions by hand, one duty at a time, so that a test decides what dies and when."""

from django.db import connection

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from audit.actors import Actor
from orchestrator.engine.claims import ENGINE, Claim, claim_due
from orchestrator.engine.segment import Segment, begin
from orchestrator.engine.sweep import sweep
from orchestrator.gate.keys import Place
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.models import Action, Attempt, Execution, Step
from tests import signing
from tests import worlds as make

DEAD = "UPDATE orchestrator_attempt SET lease_expires_at = clock_timestamp() - interval '1 second' WHERE id = %s"
DUE = "UPDATE orchestrator_step SET due_at = clock_timestamp() WHERE status = 'scheduled'"
LOOK = "UPDATE orchestrator_action SET next_look_at = clock_timestamp() WHERE status = 'unknown'"


def drive(execution: Execution | None = None) -> None:
    """Work and sweep until nothing moves any more. Backoff is not waited for."""
    for _ in range(100):
        if not (make.work() or timers_come_due() or sweep()):
            break
    else:
        raise AssertionError("it never comes to rest")
    if execution is not None:
        execution.refresh_from_db()


def timers_come_due() -> int:
    """Whatever waits for its retry has waited long enough."""
    return _run(DUE) and sweep()


def time_to_look() -> None:
    """Whatever is planned for a doubtful send is due now."""
    _run(LOOK)


def claim() -> Claim:
    """Take the one due step as a worker would, and do nothing with it."""
    (claimed,) = claim_due(limit=1, worker="doomed")
    return claimed


def lapse(fence: object) -> None:
    """Time passes: the lease of a worker that died is over."""
    _run(DEAD, fence)


def hold(world: make.World, execution: Execution, tool: str) -> tuple[Segment, Action]:
    """A worker has begun the step called `send` and proposed its call; the test says what becomes of both."""
    segment = begin(claim().fence)
    assert segment is not None
    place = Place(execution=execution, step_id=segment.step_id, fence=segment.fence, step_key="send", occurrence=0)
    action = propose(
        tool=tool, arguments={"ref": "R-1"}, agent="workflow:outside", unit_id=world.unit.pk, by=ENGINE, place=place
    )
    return segment, action


def die_after_sending(world: make.World, execution: Execution, tool: str) -> None:
    """The send of the step called `send` went out under a lease; nothing more is heard of that worker."""
    segment, action = hold(world, execution, tool)
    redeem(action_id=action.pk, by=ENGINE, fence=segment.fence)
    lapse(segment.fence)


def an_hour_passes(fence: object) -> None:
    """Since that attempt ended."""
    _run("UPDATE orchestrator_attempt SET finished_at = finished_at - interval '61 minutes' WHERE id = %s", fence)


def two_hours_pass(execution: Execution) -> None:
    """Since that execution was given its deadline."""
    _run("UPDATE orchestrator_execution SET deadline_at = deadline_at - interval '2 hours' WHERE id = %s", execution.pk)


def approvals_lapse() -> None:
    """Whatever was approved is past its time of use."""
    _run(
        "UPDATE approvals_approvalrequest SET use_by = clock_timestamp() - interval '1 second' WHERE use_by IS NOT NULL"
    )


def step(execution: Execution, key: str) -> Step:
    return execution.steps.get(key=key)


def attempts(execution: Execution, key: str) -> list[tuple[str, str]]:
    """Status and failure class of each attempt, in order."""
    rows = Attempt.objects.filter(step__execution=execution, step__key=key).in_order()
    return [(row.status, row.failure_class) for row in rows]


def actions(execution: Execution) -> list[Action]:
    return list(Action.objects.filter(execution_id=execution.pk).order_by("created_at"))


def statuses(execution: Execution) -> dict[str, str]:
    return dict(execution.steps.values_list("key", "status"))


def asked(execution: Execution) -> ApprovalRequest:
    """The one request that waits for people."""
    return ApprovalRequest.objects.get(execution_id=execution.pk, status="pending")


def approve(request: ApprovalRequest, by: Actor) -> None:
    approvals.approve(request_id=request.pk, by=by, voice=signing.voice(request, by=by))


def reject(request: ApprovalRequest, by: Actor) -> None:
    approvals.reject(request_id=request.pk, by=by, voice=signing.voice(request, "missing_evidence", by=by))


def _run(statement: str, *parameters: object) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount
