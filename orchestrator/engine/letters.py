"""Dead letters: written when trying ends, closed only when the step was seen to succeed."""

import hashlib
import re
from typing import Any

from django.db.models.functions import Now

from audit.lifecycle import born, move
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.released import released
from orchestrator.engine.retries import Failure
from orchestrator.engine.segment import Segment
from orchestrator.models import DeadLetter, Execution, Step
from orchestrator.statuses import DeadLetterStatus
from orchestrator.workflows.spec import StepSpec


def close_letter(segment: Segment) -> None:
    """A redriven letter is fixed only now: on an observed success."""
    if segment.attempt_number > 1:
        letter = DeadLetter.objects.filter(step_id=segment.step_id, status=DeadLetterStatus.REDRIVEN).first()
        if letter is not None:
            move(letter, to=DeadLetterStatus.FIXED, by=ENGINE, why="the step succeeded")


def write_letter(execution: Execution, step: Step, spec: StepSpec, failure: Failure) -> None:
    facts = {
        "failure_class": failure.failure_class,
        "message": failure.message,
        "attempts": step.attempt_count,
        "evidence": failure.evidence,
        **describe_component(execution, spec, failure),
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


def describe_component(execution: Execution, spec: StepSpec, failure: Failure) -> dict[str, Any]:
    """Which component failed, who owns it, what to do, and the fingerprint that groups equal causes."""
    contracts = released(execution.release_id)
    component = failure.evidence.get("tool") or spec.tool or spec.agent or spec.key
    contract = contracts.tools.get(component) or contracts.agents.get(spec.agent or "") or {}
    shape = "|".join([failure.failure_class, component, spec.key, re.sub(r"[0-9a-f-]{8,}|\d+", "#", failure.message)])
    return {
        "component": component,
        "owner": contract.get("owner", ""),
        "runbook": contract.get("runbook", ""),
        "fingerprint": hashlib.sha256(shape.encode()).hexdigest(),
    }
