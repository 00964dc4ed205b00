"""A person says what became of a send that nobody can look up: it happened, it did not, or nobody can tell.

“It did not” leads to another send under the same key. Where the tool's tier asks two people to sign, it takes two people
to say so.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from audit import lifecycle, scope
from audit.actors import Actor
from audit.people import accounts_behind
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.engine.resume import resume_step
from orchestrator.gate import reconcile
from orchestrator.gate.contracts import problems_with, promised_of, still_empty
from orchestrator.gate.doubt import LOOKS, REMIND_AFTER_SECONDS, needs_two, versions_of
from orchestrator.gate.locks import lock_action
from orchestrator.gate.reconcile import Happened
from orchestrator.models import Action, OutcomeAnswer, OutcomeCode, OutcomeVerdict, Step, Tool
from orchestrator.models.verdict import CODES
from orchestrator.statuses import ActionStatus

MEANS: dict[str, Happened] = {
    OutcomeVerdict.HAPPENED: "yes",
    OutcomeVerdict.DID_NOT: "no",
    OutcomeVerdict.CANNOT_TELL: "unknown",
}
LONGEST_REMINDER_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person found out, and how they know. `owner` and `remind_seconds` are for who cannot tell yet."""

    verdict: str
    code: str
    note: str
    result: Any = None
    owner: str = ""
    remind_seconds: int = REMIND_AFTER_SECONDS


@transaction.atomic
def answer(*, action_id: UUID, said: Said, by: Actor) -> Action:
    """Record what a person found out, for good; resumes the step that waited, once that settles the question.

    Raises NotVisible, Forbidden, Stale, Invalid (each field named).
    """
    action = lock_action(action_id)
    _refuse_unless_operator(action, by)
    if action.status != ActionStatus.UNKNOWN:
        raise Stale(f"The action is {action.status}; nobody has to say what happened.")
    versions = versions_of([action.tool])
    step = Step.objects.select_related("execution").filter(pk=action.step_id).first() if action.step_id else None
    # Cancelled, failed, out of time: nothing will be sent again, and nothing goes on with a result.
    over = step is not None and step.is_over
    _refuse_incomplete(action, said, versions, over=over)
    alone = said.verdict != OutcomeVerdict.DID_NOT or over or not needs_two(action, versions)
    agreed = alone or _another_found_the_same(action, by)
    _store(action, said, by, settles=agreed and said.verdict != OutcomeVerdict.CANNOT_TELL)
    if said.verdict == OutcomeVerdict.CANNOT_TELL:
        due = reconcile.remind_after(said.remind_seconds)
        Action.objects.filter(pk=action.pk, status=ActionStatus.UNKNOWN).update(next_look_at=due, looks=LOOKS)
    elif over and said.verdict == OutcomeVerdict.DID_NOT:
        reconcile.close_unsent(action, by=by, why=said.note)
    elif agreed:
        reconcile.follow(action, MEANS[said.verdict], by=by, why=said.note, result=said.result)
        if action.step_id:
            resume_step(step_id=action.step_id, by=by, why=f"{by.name} says: {said.verdict.replace('_', ' ')}")
    return action


def _refuse_unless_operator(action: Action, by: Actor) -> None:
    if action.unit_id not in scope.unit_ids(by, "view"):
        raise NotVisible("There is no such action.")
    if not by.is_person or action.unit_id not in scope.unit_ids(by, "operate"):
        raise Forbidden("You need the operator role in this unit to say what happened.")


def _refuse_incomplete(action: Action, said: Said, versions: list[Tool], *, over: bool) -> None:
    errors = []
    if said.verdict not in MEANS:
        errors.append(("/verdict", "required", "Choose what happened."))
    elif said.code not in CODES[OutcomeVerdict(said.verdict)]:
        wanted = "; ".join(
            OutcomeCode(code).label for code in OutcomeCode if code in CODES[OutcomeVerdict(said.verdict)]
        )
        errors.append(("/code", "unfit", f"Choose how you know it. For this answer: {wanted}."))
    if not said.note.strip():
        errors.append(("/note", "required", "Say how you know."))
    if not 60 <= said.remind_seconds <= LONGEST_REMINDER_SECONDS:
        errors.append(("/remind_seconds", "range", "Choose a reminder between one minute and 30 days from now."))
    if said.verdict == OutcomeVerdict.HAPPENED:
        errors += [("/result", "schema", problem) for problem in _misfits(action, said.result, versions, over=over)]
    if errors:
        raise Invalid("The answer is not complete. Nothing was recorded.", errors=errors)


def _misfits(action: Action, result: Any, versions: list[Tool], *, over: bool) -> list[str]:
    """The step goes on with this result, so it has to be what the tool would have answered."""
    if result is not None and not isinstance(result, dict):
        return ["Write the result as a JSON object."]
    schema = next((tool.output_schema for tool in versions if tool.version == action.tool_version), None)
    wanted, filled = (schema, ()) if over else promised_of(action, schema)
    found = [*problems_with(result or {}, wanted), *still_empty(result or {}, filled)]
    return [f"The result does not fit what {action.tool} answers, at {where}: {rule}." for where, rule in found]


def _another_found_the_same(action: Action, by: Actor) -> bool:
    """Whether another person's last word since this send is that it did not happen. A second account is no second person."""
    answers = OutcomeAnswer.objects.filter(action=action, at__gte=action.redeemed_at).order_by("at")
    last = {one.person_id: one.verdict for one in answers}
    mine = accounts_behind(by)
    return any(verdict == OutcomeVerdict.DID_NOT for person, verdict in last.items() if person not in mine)


def _store(action: Action, said: Said, by: Actor, *, settles: bool) -> None:
    cannot_tell = said.verdict == OutcomeVerdict.CANNOT_TELL
    OutcomeAnswer.objects.create(
        action=action,
        person_id=by.user_id,
        person_name=by.name,
        verdict=said.verdict,
        code=said.code,
        note=said.note[:5_000],
        result=said.result if said.verdict == OutcomeVerdict.HAPPENED else None,
        owner=(said.owner.strip() or by.name)[:200] if cannot_tell else "",
        remind_at=reconcile.remind_after(said.remind_seconds) if cannot_tell else None,
    )
    data = {"verdict": said.verdict, "code": said.code, "settles": settles}
    lifecycle.note(action, "action.answered_by_person", by=by, why=said.note[:1000], data=data)
