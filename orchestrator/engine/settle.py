"""An attempt's outcome becomes the step's, in one transaction and always under the fence. Successes of chains are written
together with others', in one statement: `successes`.

Raises Stale when the attempt lost its lease meanwhile: then nothing was written, and somebody else owns the step.
"""

import random
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from audit import lifecycle
from audit.canonical import canonical, digest_text
from audit.deadlocks import again
from audit.ids import new_id
from audit.lifecycle import TAKEN_OVER, Moves, move, note
from audit.refusals import Stale
from budgets import operations as budgets
from budgets.reserving import release
from orchestrator.engine import retries
from orchestrator.engine.advance import advance
from orchestrator.engine.claims import ENGINE, Claim, claim_of
from orchestrator.engine.dead_letters.letters import close_letter, write_letter
from orchestrator.engine.outputs import result_of
from orchestrator.engine.people import route_to_human
from orchestrator.engine.released import released
from orchestrator.engine.retries import Failure, GiveUp
from orchestrator.engine.segment import Segment
from orchestrator.engine.successes import Success
from orchestrator.gate.locks import lock_execution, lock_requests_under
from orchestrator.gate.reconcile import back_in_doubt, mark_unknown
from orchestrator.models import Action, Attempt, Execution, Step
from orchestrator.statuses import ActionStatus, AttemptStatus, StepStatus
from orchestrator.workflows.spec import StepSpec


@again
@transaction.atomic
def settle_success(segment: Segment, *, input: dict[str, Any], output: dict[str, Any]) -> Claim | None:
    """Record a step's success and claim what follows, which is worked out from all steps, under the execution's lock.

    Answers the next claim of this execution, or None.
    """
    execution = lock_execution(segment.execution.pk)
    _end_well(segment, input, output)
    charge(segment)
    release(segment.fence, ran=True)
    close_letter(segment)
    advance(execution, by=ENGINE)
    return claim_of(execution.pk, worker=segment.worker)


def _end_well(segment: Segment, input: dict[str, Any], output: dict[str, Any]) -> None:
    moves = Moves(stream=segment.stream, unit_id=segment.execution.unit_id, by=ENGINE, lock=segment.execution)
    text = canonical(output)
    moves.move(
        Attempt,
        segment.fence,
        before=AttemptStatus.RUNNING,
        to=AttemptStatus.SUCCEEDED,
        set_sql="finished_at = clock_timestamp()",
    )
    moves.move(
        Step,
        segment.step_id,
        before=StepStatus.IN_PROGRESS,
        to=StepStatus.SUCCESS,
        set_sql="input = %s, output = %s, finished_at = clock_timestamp(), failure_class = '', why = ''",
        set_params=(Jsonb(input), Jsonb(output)),
        guard_sql="attempt_id = %s",
        guard_params=(segment.fence,),
        data={"output_digest": digest_text(text), "step": segment.key},
    )
    moves.execute()


def light_success(segment: Segment, *, input: dict[str, Any], output: dict[str, Any]) -> Success | None:
    """The success of a chain's step, to be written together with others': what follows is known, so its claim, or the
    execution's end, belongs to the same statement. None where that takes more than the one statement."""
    if not segment.is_light or segment.attempt_number > 1:
        return None
    following = segment.released.spec.after(segment.key)
    segment.steps[segment.key].output = output
    result = result_of(segment.released.spec, segment.execution.input, segment.outputs) if following is None else None
    if isinstance(result, Failure):
        return None
    return Success(
        execution_id=segment.execution.pk,
        unit_id=segment.execution.unit_id,
        fence=segment.fence,
        step_id=segment.step_id,
        key=segment.key,
        input=input,
        output=output,
        output_digest=digest_text(canonical(output)),
        worker=segment.worker,
        # The next step of a chain has never been tried: its first attempt is born in the same statement.
        next_step=segment.steps[following.key].id if following else None,
        next_fence=new_id() if following else None,
        result=result,
    )


def charge(segment: Segment) -> None:
    """Write what the run said it used. A late attempt loses its result, not its bill."""
    place = budgets.Place(
        unit_id=segment.execution.unit_id,
        execution_id=segment.execution.pk,
        agent=segment.spec.agent or "",
        tool=segment.spec.tool or "",
        workflow=segment.execution.workflow,
        requester=segment.execution.requester,
        release=segment.released.digest,
        holder=segment.fence,
    )
    for usage in segment.usages:
        budgets.charge(usage, place)


# Never silent: somebody is told, whatever the retries come to.
ALERTED = {"timeout", "empty_result", "output_schema", "unknown_outcome"}


@again
@transaction.atomic
def settle_failure(segment: Segment, failure: Failure, *, input: dict[str, Any] | None = None) -> None:
    """Record what went wrong and what follows: a retry, a person, a fallback or a dead letter. Decided by retries.decide."""
    execution = lock_execution(segment.execution.pk)
    attempt, step = held_rows(segment)
    charge(segment)
    release(segment.fence, ran=True)
    _fail(execution, attempt, step, segment.spec, failure, to=AttemptStatus.FAILED, input=input)


@transaction.atomic
def settle_lost(attempt_id: Any, *, why: str) -> bool:
    """The lease ran out: count it as a lost attempt. Redeemed actions become unknown and are looked up before any retry."""
    row = Attempt.objects.filter(pk=attempt_id).values("execution_id", "step_id").first()
    lock_requests_under(attempt_id)
    execution = lock_execution(row["execution_id"]) if row else None
    attempt = Attempt.objects.filter(pk=attempt_id, status=AttemptStatus.RUNNING).first()
    if attempt is None or execution is None or not _is_lost(attempt):
        return False
    mark_unknown(fence=attempt.pk, by=ENGINE, why=why)
    release(attempt.pk, ran=False)
    step = Step.objects.get(pk=attempt.step_id)
    if step.attempt_id != attempt.pk or step.status != StepStatus.IN_PROGRESS:
        move(attempt, to=AttemptStatus.LOST, by=ENGINE, why=why, finished_at=Now(), failure_class="lost", message=why)
        return True
    spec = released(execution.release_id).spec.step(step.key)
    _fail(execution, attempt, step, spec, Failure("lost", why), to=AttemptStatus.LOST, input=None)
    return True


def _is_lost(attempt: Attempt) -> bool:
    return lifecycle.database_now() >= attempt.lease_expires_at


def held_rows(segment: Segment) -> tuple[Attempt, Step]:
    attempt = Attempt.objects.select_for_update().get(pk=segment.fence)
    step = Step.objects.select_for_update().get(pk=segment.step_id)
    if attempt.status != AttemptStatus.RUNNING or step.attempt_id != segment.fence:
        raise Stale(TAKEN_OVER)
    return attempt, step


def _fail(
    execution: Execution,
    attempt: Attempt,
    step: Step,
    spec: StepSpec,
    failure: Failure,
    *,
    to: str,
    input: dict[str, Any] | None,
) -> None:
    move(
        attempt,
        to=to,
        by=ENGINE,
        why=failure.message[:1000],
        finished_at=Now(),
        failure_class=failure.failure_class,
        message=failure.message,
        evidence=failure.evidence,
    )
    keep: dict[str, Any] = {"failure_class": failure.failure_class, "input": input or step.input}
    if failure.is_business:
        _end_badly(execution, step, spec, failure, to=StepStatus.BUSINESS_ERROR, keep=keep)
    else:
        _retry_or_give_up(execution, step, spec, failure, keep)
    advance(execution, by=ENGINE)


def _retry_or_give_up(execution: Execution, step: Step, spec: StepSpec, failure: Failure, keep: dict[str, Any]) -> None:
    move(step, to=StepStatus.SYSTEM_ERROR, by=ENGINE, why=failure.message[:1000], **keep)
    if failure.failure_class in ALERTED:
        note(step, f"alert.{failure.failure_class}", by=ENGINE, why=failure.message[:300], data={"step": step.key})
    # Jitter spreads retries that failed together; it is no secret, so the plain generator will do.
    verdict = retries.decide(policy=spec.retry, tries=step.tries, failure=failure, jitter=random.random())
    if isinstance(verdict, GiveUp):
        _end_badly(execution, step, spec, failure, to=StepStatus.DEAD_LETTER, keep={}, why=verdict.why)
    else:
        move(
            step,
            to=StepStatus.SCHEDULED,
            by=ENGINE,
            why=verdict.why,
            due_at=Now() + timedelta(seconds=verdict.seconds),
            data={"in_seconds": round(verdict.seconds, 3)},
        )


def _end_badly(
    execution: Execution, step: Step, spec: StepSpec, failure: Failure, *, to: str, keep: dict[str, Any], why: str = ""
) -> None:
    """The end of trying: a person if the workflow says so, else the terminal status, with a letter where one is owed.

    Nobody and nothing stands in for a call that may have happened: a person says first what became of it.
    """
    in_doubt = _left_in_doubt(step, failure)
    if in_doubt and (spec.fallback or spec.on_error == "route_to_human"):
        words = f"{failure.message} {in_doubt} may have happened: a person has to say first."
        move(step, to=StepStatus.UNKNOWN_OUTCOME, by=ENGINE, why=words[:1000], due_at=None, **keep)
        return
    if spec.on_error == "route_to_human":
        route_to_human(execution, step, spec, failure)
        move(step, to=StepStatus.AWAITING_APPROVAL, by=ENGINE, why="routed to a person", due_at=None, **keep)
        return
    move(step, to=to, by=ENGINE, why=why or failure.message[:1000], finished_at=Now(), due_at=None, **keep)
    if to == StepStatus.DEAD_LETTER:
        write_letter(execution, step, spec, failure)


def _left_in_doubt(step: Step, failure: Failure) -> str:
    """The tool of a call of this step that may have happened, or "". None of them is left looking as if it were to be sent."""
    doubted = list(Action.objects.select_for_update().filter(step_id=step.pk, in_doubt=True).order_by("occurrence"))
    for action in doubted:
        if action.status == ActionStatus.GRANTED:
            back_in_doubt(action, by=ENGINE, why=failure.message[:1000])
    return doubted[0].tool if doubted else ""
