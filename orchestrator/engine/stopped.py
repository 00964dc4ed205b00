"""What a stop does to our own steps: they are not started while it covers them, and go on by themselves afterwards."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.expressions import RawSQL

from approvals.rules import stopped
from approvals.rules.stopped import COVERS
from orchestrator.engine.resume import resume_step
from orchestrator.engine.segment import Segment
from orchestrator.gate import stopped as gate
from orchestrator.gate.judge import WORKFLOW
from orchestrator.gate.stopped import STOPS
from orchestrator.models import Step

# A step waits for its own stop, or for the stop of a call that it has made and that has not gone out.
_GOES_ON = f"""
SELECT t.id FROM orchestrator_step AS t JOIN orchestrator_execution AS e ON e.id = t.execution_id
WHERE t.status = 'stopped'
  AND NOT EXISTS (SELECT 1 FROM approvals_stop_reach AS s WHERE (s.unit_id IS NULL OR s.unit_id = t.unit_id)
    AND (s.agent = '' OR s.agent IN (t.spec->>'agent', '{WORKFLOW}' || e.workflow))
    AND (s.tool = '' OR s.tool = t.spec->>'tool'))
  AND NOT EXISTS (SELECT 1 FROM orchestrator_action AS a JOIN approvals_stop_reach AS s ON {COVERS.format(row="a")}
    WHERE a.step_id = t.id AND a.status IN ('held', 'granted'))
"""


def why_stopped(segment: Segment) -> str:
    """The reason this step may not start now, or "". Costs nothing while nothing is stopped anywhere."""
    if not stopped.anything_is_stopped():
        return ""
    spec, execution = segment.spec, segment.execution
    agents = named_in(spec.agent, execution.workflow)
    stops = stopped.covering(unit_id=execution.unit_id, agents=agents, tool=spec.tool or "")
    return stops[0].sentence if stops else ""


def named_in(agent: str | None, workflow: str) -> tuple[str, str]:
    """Whom a stop may name to keep a step from starting: the agent of the step, and its workflow."""
    return agent or "", f"{WORKFLOW}{workflow}"


def going_on() -> Any:
    """Steps that waited for a stop that no longer covers them."""
    return Step.objects.filter(pk__in=RawSQL(_GOES_ON, []))


@transaction.atomic
def go_on(step_id: UUID) -> bool:
    """Make it due again. Should it be stopped anew this instant, its next start finds out."""
    if not going_on().filter(pk=step_id).exists():
        return False
    resume_step(step_id=step_id, by=STOPS, why="the stop was lifted")
    return True


@transaction.atomic
def release(action_id: UUID) -> bool:
    """A call that waited for a stop goes on, and the step that made it."""
    action = gate.release(action_id)
    if action.step_id:
        resume_step(step_id=action.step_id, by=STOPS, why="the stop was lifted")
    return True
