"""What an execution does next, given where its steps stand. Called with the execution locked; decides by workflows.plan."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from audit.actors import Actor
from audit.lifecycle import move, note
from orchestrator.engine.claims import WAKE_CHANNEL
from orchestrator.engine.closing import end_letters
from orchestrator.engine.outputs import result_of
from orchestrator.engine.released import released
from orchestrator.engine.retries import Failure
from orchestrator.models import Action, Execution, Step
from orchestrator.statuses import ExecutionStatus, StepStatus
from orchestrator.workflows.plan import FAILED, Plan, plan
from orchestrator.workflows.spec import WorkflowSpec

BUSY = {StepStatus.IN_PROGRESS, StepStatus.SCHEDULED, StepStatus.SYSTEM_ERROR}
PARKED = {
    StepStatus.AWAITING_APPROVAL,
    StepStatus.UNKNOWN_OUTCOME,
    StepStatus.BUDGET_HOLD,
    StepStatus.STOPPED,
    StepStatus.THROTTLED,
}


def wake(execution_id: UUID) -> None:
    """Tell idle brokers that something is due. They poll as well, so a lost bell costs time, not work."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [WAKE_CHANNEL, str(execution_id)])


@dataclass(slots=True)
class _View:
    execution: Execution
    steps: dict[str, Step]

    @property
    def states(self) -> dict[str, str]:
        return {key: step.status for key, step in self.steps.items()}

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        return {key: step.output for key, step in self.steps.items() if step.output is not None}


def advance(execution: Execution, *, by: Actor) -> None:
    """Make ready steps due, skip what is not taken, and give the execution the status its steps imply.

    `execution` is the locked row. Runs until nothing more follows, because a skipped step can make others ready.
    """
    if execution.is_final:
        return
    view = _View(execution, {step.key: step for step in execution.steps.in_order()})
    spec = released(execution.release_id).spec
    acted = _acted(view, spec)
    while True:
        following = plan(spec, view.states, view.outputs, execution.input, acted=acted)
        if not _apply(view, following, by, spec):
            break
    _follow(view, following, by, spec)
    _end_letters(view, by, spec)


def _acted(view: _View, spec: WorkflowSpec) -> set[str]:
    """The failed steps that something would stand in for, and of whose calls some took effect."""
    failed: dict[UUID | None, str] = {
        step.pk: key for key, step in view.steps.items() if step.status in FAILED and spec.step(key).fallback
    }
    if not failed:
        return set()
    return {
        failed[pk] for pk in Action.objects.took_effect().filter(step_id__in=failed).values_list("step_id", flat=True)
    }


def _apply(view: _View, following: Plan, by: Actor, spec: WorkflowSpec) -> bool:
    """Returns True when a step reached an end, so that the plan must be asked again."""
    for key, why in following.skipped:
        move(view.steps[key], to=StepStatus.SKIPPED, by=by, why=why, finished_at=Now())
    for key, why in following.errors:
        move(view.steps[key], to=StepStatus.BUSINESS_ERROR, by=by, why=why, failure_class="business", finished_at=Now())
    ready = [view.steps[key].pk for key in following.ready if view.steps[key].due_at is None]
    if ready and Step.objects.filter(pk__in=ready, status=StepStatus.PENDING, due_at=None).update(due_at=Now()):
        for key in following.ready:
            view.steps[key].due_at = view.execution.created_at
            if guarded := spec.step(key).stands_in_for:
                _alert_fallback(view.steps[key], view.steps[guarded], by)
        wake(view.execution.pk)
    return bool(following.skipped or following.errors)


def _alert_fallback(fallback: Step, failed: Step, by: Actor) -> None:
    """What stands in for a step gives another answer than the step would have: somebody is told, whatever it comes to."""
    why = f"{failed.key} failed for good and {fallback.key} stands in for it: {failed.why}"
    note(fallback, "alert.fallback", by=by, why=why[:1000], data={"step": fallback.key, "stands_in_for": failed.key})


def _follow(view: _View, following: Plan, by: Actor, spec: WorkflowSpec) -> None:
    execution, states = view.execution, set(view.states.values())
    to = following.finished or _live_status(view, states)
    if to == execution.status or to is None:
        return
    if execution.status == ExecutionStatus.QUEUED and to not in {ExecutionStatus.CANCELLED}:
        if to == ExecutionStatus.RUNNING:
            return
        move(execution, to=ExecutionStatus.RUNNING, by=by, started_at=Now())
    if to == ExecutionStatus.SUCCEEDED:
        _succeed(view, by, spec)
    elif following.finished:
        _close(view, by, to, spec)
    else:
        move(execution, to=to, by=by)


def _succeed(view: _View, by: Actor, spec: WorkflowSpec) -> None:
    """All steps ended well; the execution did only if it gives back what its workflow promises."""
    result = result_of(spec, view.execution.input, view.outputs)
    if isinstance(result, Failure):
        move(view.execution, to=ExecutionStatus.FAILED, by=by, why=result.message[:1000], finished_at=Now())
    else:
        move(view.execution, to=ExecutionStatus.SUCCEEDED, by=by, output=result, finished_at=Now())


def _close(view: _View, by: Actor, to: str, spec: WorkflowSpec) -> None:
    """An execution that failed for good leaves no step hanging; a dead-lettered one keeps them for the redrive.

    It did not fail for a step whose work a fallback did.
    """
    failed = [step for key, step in view.steps.items() if step.status in FAILED and not _did_its_work(view, spec, key)]
    why = "; ".join(f"{step.key}: {step.why}" for step in failed)[:1000]
    if to == ExecutionStatus.FAILED:
        for step in view.steps.values():
            if step.status == StepStatus.PENDING:
                move(step, to=StepStatus.SKIPPED, by=by, why="not reached", finished_at=Now(), due_at=None)
    move(view.execution, to=to, by=by, why=why, finished_at=Now())


def _end_letters(view: _View, by: Actor, spec: WorkflowSpec) -> None:
    """A dead letter asks for an act. There is none left where a fallback did the work, nor once the execution is over."""
    for step in view.steps.values():
        if step.status != StepStatus.DEAD_LETTER:
            continue
        if fallback := _did_its_work(view, spec, step.key):
            end_letters(view.execution, by=by, why=f"{fallback} stood in for it", step=step)
        elif view.execution.is_final:
            why = f"its execution ended: {view.execution.get_status_display().lower()}"
            end_letters(view.execution, by=by, why=why, step=step)


def _did_its_work(view: _View, spec: WorkflowSpec, key: str) -> str | None:
    """The fallback of this step, or the fallback's own, that succeeded."""
    fallback = spec.step(key).fallback
    while fallback is not None and view.steps[fallback].status != StepStatus.SUCCESS:
        fallback = spec.step(fallback).fallback
    return fallback


def _live_status(view: _View, states: set[str]) -> str | None:
    due = any(step.status == StepStatus.PENDING and step.due_at is not None for step in view.steps.values())
    if due or states & BUSY:
        return ExecutionStatus.RUNNING
    return ExecutionStatus.WAITING if states & PARKED else None
