"""Which letters an operation leaves out, and why: asked once for the whole set when it is frozen."""

from collections.abc import Iterable
from uuid import UUID

from approvals.models import Stop
from approvals.rules import stopped
from orchestrator.engine.dead_letters.letters import why_not_again
from orchestrator.engine.released import released
from orchestrator.engine.stopped import named_in
from orchestrator.gate.doubt import doubt_of, versions_of
from orchestrator.models import Action, DeadLetter, OperationAct, Tool
from orchestrator.statuses import ActionStatus, DeadLetterStatus, StepStatus

IN_DOUBT = [ActionStatus.UNKNOWN, ActionStatus.REDEEMED]


def reasons_against(letters: Iterable[DeadLetter], *, act: str) -> dict[UUID, str]:
    """The reason for every letter that the act cannot, or must not, be done to. `letters` have their step and execution."""
    letters = list(letters)
    found = {letter.pk: why for letter in letters if (why := _by_itself(letter))}
    if act == OperationAct.REDRIVE:
        found |= why_not_again([letter for letter in letters if letter.pk not in found])
    found |= _in_doubt([letter for letter in letters if letter.pk not in found], act)
    if act == OperationAct.REDRIVE and Stop.objects.engaged().exists():
        found |= _stopped([letter for letter in letters if letter.pk not in found])
    return found


def _by_itself(letter: DeadLetter) -> str:
    if letter.status == DeadLetterStatus.REDRIVEN:
        return "It is being tried again already."
    if letter.status != DeadLetterStatus.OPEN:
        return f"It is {letter.status} already."
    if letter.step.status != StepStatus.DEAD_LETTER:
        return "Its step is no longer a dead letter."
    return ""


def _in_doubt(letters: list[DeadLetter], act: str) -> dict[UUID, str]:
    by_step: dict[UUID | None, DeadLetter] = {letter.step_id: letter for letter in letters}
    actions = Action.objects.filter(step_id__in=by_step, status__in=IN_DOUBT).only(
        "step_id", "tool", "tool_version", "effect", "status"
    )
    versions = versions_of(action.tool for action in actions)
    return {
        by_step[action.step_id].pk: f"{action.tool} was sent and no answer came. Say first what happened to it."
        for action in actions
        if act == OperationAct.DISCARD or _waits_for_verdict(action, by_step[action.step_id], versions)
    }


def _waits_for_verdict(action: Action, letter: DeadLetter, versions: list[Tool]) -> bool:
    """Whether only a person can say what became of the send: nobody honours its key, and nobody can look it up.

    `engine.doubts` comes to the same when the step runs again.
    """
    contract = released(letter.execution.release_id).tools.get(action.tool, {})
    looks = bool(contract.get("probe")) and letter.step.spec.get("reconcile_before_retry", True)
    return not (action.effect == "read" or looks or doubt_of(action, versions).honours_key)


def _stopped(letters: list[DeadLetter]) -> dict[UUID, str]:
    known: dict[tuple[UUID, str, str, str], str] = {}
    found: dict[UUID, str] = {}
    for letter in letters:
        agents = named_in(letter.step.spec.get("agent"), letter.execution.workflow)
        key = (letter.unit_id, *agents, letter.component)
        if key not in known:
            stops = stopped.covering(unit_id=letter.unit_id, agents=agents, tool=letter.component)
            known[key] = f"{stops[0].sentence}. Lift the stop first." if stops else ""
        if known[key]:
            found[letter.pk] = known[key]
    return found
