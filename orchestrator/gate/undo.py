"""Undoing is an action like any other: the compensating tool is proposed, judged, approved, keyed and recorded."""

from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.refusals import Refusal
from orchestrator.gate.compensation import arguments_for, standing
from orchestrator.gate.locks import lock_action, refuse_foreign
from orchestrator.gate.propose import propose
from orchestrator.gate.snapshot import undo_sentence
from orchestrator.models import Action, Tool
from orchestrator.models.action import CAME_TO_NOTHING
from orchestrator.models.definition import Effect
from orchestrator.statuses import ActionStatus


class CannotBeUndone(Refusal):
    """No compensating tool, or nothing happened that could be undone."""

    code = "cannot_be_undone"


class AlreadyUndone(Refusal):
    """It is undone, or somebody is at it; the message says who and since when."""

    code = "already_undone"


@transaction.atomic
def undo(*, action_id: UUID, by: Actor, why: str) -> Action:
    """Propose the compensation of a foreign agent's succeeded action; the agent redeems it and carries it out.

    Raises NotVisible, CannotBeUndone, AlreadyUndone.
    """
    action = lock_action(action_id)
    refuse_foreign(action, by)
    refuse_undone(action)
    if action.step_id is not None:
        raise CannotBeUndone(
            "It is an effect of an execution that runs here, and is undone there.",
            remedy=f"Open the page of execution {action.execution_id} and choose “Undo…”, or post to its undos.",
        )
    if action.status != ActionStatus.SUCCEEDED:
        raise CannotBeUndone(f"The action is {action.status}: there is no effect to undo.")
    tool = Tool.objects.filter(name=action.tool, version=action.tool_version).first()
    if tool is None or tool.effect != Effect.WRITE or tool.compensate_with in {"", tool.name} or action.undoes_id:
        raise CannotBeUndone(how_undone(action, tool))
    other = Tool.objects.active().filter(name=tool.compensate_with).first()
    return propose(
        tool=tool.compensate_with,
        arguments=arguments_for(other or tool, action),
        agent=action.agent,
        unit_id=action.unit_id,
        by=by,
        context={"reason": why, "undoes": str(action.pk), "result": action.result},
        business_key=action.business_key,
        execution_id=action.execution_id,
        undoes=action,
    )


def how_undone(action: Action, tool: Tool | None) -> str:
    """The answer for one call, whatever became of it; `tool` is the version it was judged under."""
    if action.status in CAME_TO_NOTHING:
        return "Nothing to undo: it was never carried out."
    if action.status == ActionStatus.FAILED:
        return "Nothing to undo: it failed."
    if action.status == ActionStatus.UNDONE:
        return "It is undone."
    if action.undoes_id:
        return "Not undone itself: it takes back another action. Call for that one again instead."
    if tool is None:
        return "Unknown: the tool is not registered."
    return undo_sentence(tool)


def refuse_undone(action: Action) -> None:
    """Two compensations of one effect would be one too many."""
    found = standing([action.pk]).get(action.pk)
    if found is not None:
        raise AlreadyUndone(words(found), remedy=f"Look at action {found.pk}.")


def words(compensation: Action) -> str:
    """Who takes it back, since when, and how far that is."""
    asked = f"{compensation.requester_name} asked for it on {compensation.created_at:%Y-%m-%d at %H:%M:%S} UTC"
    return {
        ActionStatus.SUCCEEDED: f"It is undone: {asked}, and {compensation.tool} did it.",
        ActionStatus.ANSWERED: f"It is undone: {asked}, and a person did it by hand.",
        ActionStatus.UNKNOWN: f"Whether it is undone is not known: {asked}, and {compensation.tool} did not answer.",
    }.get(ActionStatus(compensation.status), f"It is being undone: {asked}.")
