"""Undoing an execution is an execution: a chain with one step per effect, last effect first, each through the gate.

So a compensation waits for signatures, stops and budget, is retried, looked up and dead-lettered like any other step, and
survives what a step survives. Its release holds the steps and contracts, and runs the code of the release it takes back.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction

from audit import lifecycle
from audit.actors import Actor
from audit.canonical import digest
from audit.ids import new_id
from audit.queries import visible_or_refuse
from audit.refusals import Refusal, refuse_blank
from orchestrator.engine.released import released
from orchestrator.gate.locks import lock_execution
from orchestrator.gate.undo import AlreadyUndone, CannotBeUndone
from orchestrator.models import Execution
from orchestrator.models.execution import UNDO
from orchestrator.operations.executions import insert, refuse_unless_a_person_operates
from orchestrator.operations.undo_plan import Effect, UndoPlan, plan_of
from orchestrator.releases.bundle import TOOL_FIELDS, stored
from orchestrator.workflows.spec import StepSpec, WorkflowSpec


class StillRunning(Refusal):
    """It may have further effects: it has to be ended first."""

    code = "execution_still_running"


@transaction.atomic
def undo_execution(*, execution_id: UUID, by: Actor, why: str, only: Collection[UUID] | None = None) -> Execution:
    """Start taking back what an ended execution did, or `only` some of it. Answers the execution that does it.

    Raises NotVisible, Forbidden, Invalid, StillRunning, AlreadyUndone, CannotBeUndone.
    """
    found: Execution = visible_or_refuse(Execution.objects.visible_to(by), execution_id, "execution")
    refuse_unless_a_person_operates(by, found.unit_id, found.unit_title, else_say="Only people undo an execution.")
    refuse_blank(why, "Say why it is undone.")
    execution = lock_execution(execution_id)
    refuse_unless_ended(execution)
    refuse_while_undoing(execution)
    plan = plan_of(execution)
    chosen = _chosen(plan, only)
    run = _start(plan, chosen, by, why.strip())
    data = {"undo": str(run.pk), "effects": len(chosen), "left": len(plan.effects) - len(chosen)}
    lifecycle.note(execution, "execution.undo_asked", by=by, why=why.strip()[:1000], data=data)
    return run


def refuse_unless_ended(execution: Execution) -> None:
    if execution.is_undo:
        raise CannotBeUndone("This execution undoes another. Start the work again instead of undoing the undoing.")
    if not execution.is_final:
        how = execution.status.replace("_", "-")
        raise StillRunning(f"It is {how}, and may still do more.", remedy="Cancel it first, then undo what it did.")


def refuse_while_undoing(execution: Execution) -> None:
    """One at a time: the caller holds the execution. The database has a constraint that says the same."""
    runs = Execution.objects.undoing().filter(parent_id=execution.pk).newest_first()
    run = next((run for run in runs if not run.is_final), None)
    if run is not None:
        when = f"{run.created_at:%Y-%m-%d at %H:%M:%S} UTC"
        raise AlreadyUndone(
            f"{run.requester_name} asked for this on {when}, and it is under way.", remedy=f"Follow execution {run.pk}."
        )


def _chosen(plan: UndoPlan, only: Collection[UUID] | None) -> list[Effect]:
    chosen = [effect for effect in plan.possible if only is None or effect.action.pk in only]
    if chosen and (only is None or len(chosen) == len(set(only))):
        return chosen
    strange = sorted(set(only or ()) - {effect.action.pk for effect in plan.effects})
    if strange:
        raise CannotBeUndone(f"Action {strange[0]} is no effect of this execution.", remedy="Leave it out.")
    wanted = [effect for effect in plan.effects if only is None or effect.action.pk in only]
    reasons = [effect.why for effect in wanted if effect.state != "can"]
    if wanted and all(effect.state in {"undone", "under_way"} for effect in wanted):
        raise AlreadyUndone(reasons[0])
    raise CannotBeUndone(reasons[0] if reasons else "It had no effect on another system: there is nothing to undo.")


def _start(plan: UndoPlan, chosen: list[Effect], by: Actor, why: str) -> Execution:
    undone, pinned = plan.execution, released(stored(_bundle(plan, chosen), by).pk)
    input = {"undoes": str(undone.pk), "reason": why, "effects": [str(effect.action.pk) for effect in chosen]}
    run_id = new_id()
    run = Execution(
        id=run_id,
        root_id=undone.root_id,
        parent_id=undone.pk,
        trace_id=undone.trace_id,
        workflow=pinned.spec.workflow,
        release_id=pinned.id,
        unit_id=undone.unit_id,
        unit_title=undone.unit_title,
        requester=by.key,
        requester_name=by.name,
        business_key=undone.business_key,
        input=input,
        hop_count=undone.hop_count,
        execution_hash=digest({"input": input, "release": pinned.digest}),
    )
    insert(run, pinned, (pinned.spec.steps[0].key,), by)
    return run


def _bundle(plan: UndoPlan, chosen: list[Effect]) -> dict[str, Any]:
    """Steps, contracts and code digest: as content-addressed as what a folder makes."""
    keys = [f"undo_{number}" for number in range(1, len(chosen) + 1)]
    return {
        "workflow": f"{UNDO}{plan.execution.workflow}"[:200],
        "version": plan.release.version,
        "text": "",
        "spec": _spec(plan, chosen, keys).to_json(),
        "tools": {
            effect.tool.name: {field: getattr(effect.tool, field) for field in TOOL_FIELDS}
            for effect in chosen
            if effect.tool is not None
        },
        "agents": {},
        "policies": [],
        "undoes": {key: str(effect.action.pk) for key, effect in zip(keys, chosen, strict=True)},
        "code_of": plan.release.digest,
        "code_digest": plan.release.code_digest,
        "env": plan.release.env,
    }


def _spec(plan: UndoPlan, chosen: list[Effect], keys: list[str]) -> WorkflowSpec:
    before = [(), *((key,) for key in keys)]
    steps = tuple(
        StepSpec(
            key=key,
            kind="tool",
            tool=effect.tool.name if effect.tool else None,
            arguments=effect.arguments,
            needs=needs,
        )
        for key, needs, effect in zip(keys, before, chosen, strict=False)
    )
    description = f"Takes back what execution {plan.execution.pk} did."
    return WorkflowSpec(
        workflow=f"{UNDO}{plan.execution.workflow}"[:200], version=plan.release.version, steps=steps,
        description=description,
    )  # fmt: skip
