"""Dead letters: written when trying ends, closed only when the step was seen to succeed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.actors import Actor
from audit.lifecycle import born, database_now, move
from audit.refusals import Stale
from orchestrator.engine.advance import wake
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.dead_letters.causes import fingerprint_of, pattern_of
from orchestrator.engine.dead_letters.filing import Cause, group_for, values_of
from orchestrator.engine.released import released
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import Segment
from orchestrator.gate.locks import lock_execution
from orchestrator.models import DeadLetter, Execution, Step
from orchestrator.statuses import STEP, DeadLetterStatus, ExecutionStatus, StepStatus
from orchestrator.workflows.spec import StepSpec


def close_letter(segment: Segment) -> None:
    """A redriven letter is fixed only now: on an observed success."""
    if segment.attempt_number > 1:
        letter = DeadLetter.objects.filter(step_id=segment.step_id, status=DeadLetterStatus.REDRIVEN).first()
        if letter is not None:
            move(letter, to=DeadLetterStatus.FIXED, by=ENGINE, why="the step succeeded")


def write_letter(execution: Execution, step: Step, spec: StepSpec, failure: Failure) -> None:
    """Inside the transaction that gives up on the step: the letter, and the group it belongs to."""
    cause = cause_of(execution, spec, failure)
    facts: dict[str, Any] = {
        "failure_class": failure.failure_class,
        "message": failure.message,
        "attempts": step.attempt_count,
        "evidence": failure.evidence,
        "component": cause.component,
        "owner": cause.owner,
        "runbook": cause.runbook,
        "fingerprint": cause.fingerprint,
        "group_id": group_for(
            cause,
            unit_id=step.unit_id,
            unit_title=execution.unit_title,
            values={
                "workflow": execution.workflow,
                "release": str(execution.release_id),
                "requester": execution.requester_name,
                "message": failure.message,
                "cause": cause.fingerprint,
            },
        ),
    }
    letter = DeadLetter.objects.filter(step=step).first()
    if letter is None:
        born(
            DeadLetter(execution=execution, step=step, unit_id=step.unit_id, unit_title=execution.unit_title, **facts),
            by=ENGINE,
            why=failure.message[:300],
        )
    else:
        move(letter, to=DeadLetterStatus.OPEN, by=ENGINE, why="it failed again", last_at=Now(), **facts)


def cause_of(execution: Execution, spec: StepSpec, failure: Failure) -> Cause:
    """Which component failed, who owns it, what to do, and the fingerprint that groups equal causes."""
    contracts = released(execution.release_id)
    component = failure.evidence.get("tool") or spec.tool or spec.agent or spec.key
    contract = contracts.tools.get(component) or contracts.agents.get(spec.agent or "") or {}
    pattern = pattern_of(failure.message)
    return Cause(
        fingerprint=fingerprint_of(
            failure_class=failure.failure_class, component=component, step=spec.key, pattern=pattern
        ),
        failure_class=failure.failure_class,
        component=component,
        step_key=spec.key,
        pattern=pattern,
        owner=contract.get("owner", ""),
        runbook=contract.get("runbook", ""),
    )


# --- Trying again, and giving up ---------------------------------------------------------------------------------


def lock_open(letter: DeadLetter) -> tuple[Execution, DeadLetter]:
    """The letter with its execution above it, in the one order of locks. Raises Stale when it is not open any more."""
    execution = lock_execution(letter.execution_id)
    locked: DeadLetter = DeadLetter.objects.select_for_update(of=["self"]).get(pk=letter.pk)
    if locked.status != DeadLetterStatus.OPEN:
        raise Stale(f"This dead letter is already {locked.status}.")
    return execution, locked


def why_not_again(letters: Sequence[DeadLetter]) -> dict[UUID, str]:
    """Of these, the letters whose step must not run again, and why. `letters` have their step and execution."""
    fallbacks = stand_ins([letter.step for letter in letters])
    now = database_now()
    found = {letter.pk: _over(letter.execution, now) or _beside(fallbacks.get(letter.step_id)) for letter in letters}
    return {pk: why for pk, why in found.items() if why}


def stand_ins(steps: Iterable[Step]) -> dict[UUID, Step]:
    """By the id of a step the fallback that has begun, or is about to: with a redrive both would do the work."""
    named = {(step.execution_id, key): step.pk for step in steps if (key := _fallback_of(step))}
    if not named:
        return {}
    rows = Step.objects.filter(execution_id__in={pk for pk, _ in named}, key__in={key for _, key in named})
    begun = rows.exclude(status=StepStatus.PENDING, due_at=None).exclude(status=StepStatus.SKIPPED)
    return {named[at]: step for step in begun if (at := (step.execution_id, step.key)) in named}


def _fallback_of(step: Step) -> str | None:
    return StepSpec.from_json(step.spec).fallback


def _over(execution: Execution, now: datetime) -> str:
    """Nothing more is done in an execution that is over, or would be ended before its step has begun."""
    if execution.is_final:
        return f"Its execution is over: {execution.get_status_display().lower()}."
    is_late = execution.deadline_at is not None and execution.deadline_at <= now
    return "The deadline of its execution has passed. Start it anew." if is_late else ""


def _beside(fallback: Step | None) -> str:
    if fallback is None:
        return ""
    if fallback.status == StepStatus.SUCCESS:
        return f"{fallback.key} stood in for it. Redriven, it would do the same work again."
    return f"{fallback.key} stands in for it. Look after that step: with both the work could be done twice."


def redrive_step(execution: Execution, letter: DeadLetter, *, by: Actor, why: str = "") -> int:
    """Queue the step of a locked letter for a fresh set of tries under its old keys. Answers which redrive this is.

    Raises Stale.
    """
    step = Step.objects.select_for_update().get(pk=letter.step_id)
    if step.status != StepStatus.DEAD_LETTER:
        raise Stale("The step is already being tried again, or over.")
    letter.execution, letter.step = execution, step
    if why_not := why_not_again([letter]):
        raise Stale(why_not[letter.pk])
    move(
        letter,
        to=DeadLetterStatus.REDRIVEN,
        by=by,
        why=why or f"{by.name} queued it for retry",
        redrives=F("redrives") + 1,
    )
    move(step, to=StepStatus.PENDING, by=by, why="redriven", tries=0, due_at=Now(), finished_at=None)
    if execution.status == ExecutionStatus.DEAD_LETTERED:
        move(execution, to=ExecutionStatus.RUNNING, by=by, why=f"redrive of {step.key}", finished_at=None)
    wake(execution.pk)
    return int(letter.redrives)


# --- What the sweep finds ----------------------------------------------------------------------------------------


def overtaken() -> Any:
    """Redriven letters whose step has ended in another way than the engine's own settling: by people, by a branch."""
    return DeadLetter.objects.filter(status=DeadLetterStatus.REDRIVEN, step__status__in=STEP.final)


@transaction.atomic
def follow_step(letter_id: UUID) -> bool:
    """Close a redriven letter as its step ended: fixed on a success only."""
    found = DeadLetter.objects.get(pk=letter_id)
    lock_execution(found.execution_id)
    letter = overtaken().select_related("step").filter(pk=letter_id).first()
    if letter is None:
        return False
    succeeded = letter.step.status == StepStatus.SUCCESS
    words = "the step succeeded" if succeeded else f"the step ended: {letter.step.get_status_display()}"
    move(letter, to=DeadLetterStatus.FIXED if succeeded else DeadLetterStatus.ENDED, by=ENGINE, why=words)
    return True


def unfiled() -> Any:
    """Letters that an older version wrote while this one was rolled out."""
    return DeadLetter.objects.filter(group=None)


@transaction.atomic
def file(letter_id: UUID) -> bool:
    """Give a letter the fingerprint and the group it would have been written with."""
    letter = DeadLetter.objects.select_related("execution", "step").get(pk=letter_id)
    lock_execution(letter.execution_id)
    pattern = pattern_of(letter.message)
    names = {"failure_class": letter.failure_class, "component": letter.component}
    cause = Cause(
        fingerprint=fingerprint_of(**names, step=letter.step.key, pattern=pattern),
        step_key=letter.step.key,
        pattern=pattern,
        owner=letter.owner,
        runbook=letter.runbook,
        **names,
    )
    values = {**values_of(letter), "cause": cause.fingerprint}
    group = group_for(cause, unit_id=letter.unit_id, unit_title=letter.unit_title, values=values)
    kept = DeadLetter.objects.filter(pk=letter_id, group=None)
    return bool(kept.update(fingerprint=cause.fingerprint, group_id=group))
