"""Patch and redrive: a person corrects the input of one failed step, and it is tried again with that.

The original stays. What the step calls with the new input is a new proposal at the gate, with a verdict and signatures of
its own, and whoever patched it does not sign for it. What may have been sent before is never sent again under another key.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from audit.actors import Actor
from audit.canonical import NotCanonical, digest
from audit.lifecycle import move, note
from audit.queries import visible_or_refuse
from audit.refusals import Invalid, Refusal, Stale, refuse_blank
from orchestrator.engine.dead_letters.letters import lock_open, redrive_step
from orchestrator.engine.released import released
from orchestrator.gate.contracts import problems_with
from orchestrator.gate.locks import lock_action
from orchestrator.gate.redeem import void_granted
from orchestrator.models import Action, DeadLetter, Step, StepPatch
from orchestrator.models.action import ENDED_UNUSED
from orchestrator.operations.executions import refuse_unless_a_person_operates
from orchestrator.statuses import ActionStatus

# Known not to have happened: another proposal may take its place.
REPLACEABLE = [ActionStatus.FAILED, ActionStatus.GRANTED]
PATCHED = "the input of its step was patched"
WORDS = {
    ActionStatus.UNKNOWN: "was sent and no answer came. Say first what happened to it.",
    ActionStatus.REDEEMED: "is on its way. Wait for its report.",
    ActionStatus.SUCCEEDED: "took effect with the old input. It cannot be told another one afterwards.",
    ActionStatus.UNDONE: "took effect with the old input, and was undone.",
}


class NotPatchable(Refusal):
    """What the step has done so far does not allow another input."""

    code = "not_patchable"


@dataclass(frozen=True, slots=True)
class Change:
    """One value of the input that would be another; None where it is not there."""

    label: str
    before: str | None
    after: str | None


@transaction.atomic
def patch(*, letter_id: UUID, by: Actor, before_digest: str, after: dict[str, Any], why: str) -> StepPatch:
    """Store the corrected input as a new version, void what stood for the old one, and redrive the step.

    Raises Invalid (every fault named), NotPatchable, Stale, NotVisible, Forbidden.
    """
    letter = _letter(letter_id, by)
    _replace_calls(letter, by)
    execution, letter = lock_open(letter)
    step = Step.objects.select_for_update().get(pk=letter.step_id)
    before = current_input(step)
    if digest(before) != before_digest:
        raise Stale("The input was patched by somebody else meanwhile.", remedy="Read what it is now, and patch that.")
    refuse_unfit(letter, step, before=before, after=after)
    refuse_blank(why, "Say why the input is changed.")
    number = step.patches.count() + 1
    made: StepPatch = StepPatch.objects.create(
        step=step, number=number, before=before, after=after, before_digest=before_digest, after_digest=digest(after),
        why=why[:1000], person_id=by.user_id, person_name=by.name,
    )  # fmt: skip
    facts = {"version": number, "before_digest": made.before_digest, "after_digest": made.after_digest}
    note(step, "step.patched", by=by, why=why[:300], data=facts)
    redrive_step(execution, letter, by=by, why=f"{by.name} patched its input and queued it for retry")
    return made


def current_input(step: Step) -> dict[str, Any]:
    """What the step was given last: the newest patch, or what the workflow gave it."""
    newest = step.patches.order_by("-number").values_list("after", flat=True).first()
    return newest if newest is not None else step.input or {}


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Every value that differs, by its place."""
    old, new = dict(_flat(before, "")), dict(_flat(after, ""))
    places = list(dict.fromkeys([*old, *new]))
    return [Change(place, old.get(place), new.get(place)) for place in places if old.get(place) != new.get(place)]


def refuse_unfit(letter: DeadLetter, step: Step, *, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Judged by the contract that the execution's release holds: the one the step is run under."""
    if letter.execution.is_undo:
        raise NotPatchable(
            "It takes back what was done, to the letter.",
            remedy="Redrive it as it is, or take the effect back by hand.",
        )
    contracts = released(letter.execution.release_id)
    tool, agent = step.spec.get("tool"), step.spec.get("agent")
    if not tool and not agent:
        raise NotPatchable("A person decides in this step; it has no input to patch.")
    contract = contracts.tools[tool] if tool else contracts.agents[agent]
    faults = problems_with(after, contract.get("input_schema"))
    if faults:
        named = [(f"/input{place.rstrip('/')}", "schema", rule) for place, rule in faults]
        raise Invalid("The input does not fit the step's schema.", errors=named)
    try:
        same = digest(before) == digest(after)
    except NotCanonical as fault:
        raise Invalid("The input cannot be stored exactly.", errors=[("/input", "not_exact", str(fault))]) from None
    if same:
        raise Invalid("Nothing is different.", errors=[("/input", "unchanged", "Change a value, or redrive as it is.")])


def _letter(letter_id: UUID, by: Actor) -> DeadLetter:
    rows = DeadLetter.objects.visible_to(by).select_related("execution")
    letter: DeadLetter = visible_or_refuse(rows, letter_id, "dead letter")
    refuse_unless_a_person_operates(by, letter.unit_id, letter.unit_title, else_say="Only people patch an input.")
    return letter


def _replace_calls(letter: DeadLetter, by: Actor) -> None:
    """What the step has called stands for the old input. Locked before the execution, as everywhere."""
    standing = Action.objects.filter(step_id=letter.step_id).exclude(status__in=ENDED_UNUSED).order_by("pk")
    for pk in standing.values_list("pk", flat=True):
        action = lock_action(pk)
        if action.status not in REPLACEABLE or action.in_doubt:
            words = WORDS.get(
                ActionStatus.UNKNOWN if action.in_doubt else ActionStatus(action.status),
                f"was {action.status.replace('_', ' ')} as it is.",
            )
            raise NotPatchable(f"{action.tool} {words}", remedy="Redrive it as it is, or discard it.")
        if action.status == ActionStatus.GRANTED:
            void_granted(action_id=pk, by=by, why=PATCHED)
        else:
            move(action, to=ActionStatus.VOID, by=by, why=PATCHED, finished_at=Now())


def _flat(value: Any, place: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [found for name, part in value.items() for found in _flat(part, f"{place}/{name}")]
    if isinstance(value, list) and value:
        return [found for at, part in enumerate(value) for found in _flat(part, f"{place}/{at}")]
    return [(place or "/", _text(value))]


def _text(value: Any) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
