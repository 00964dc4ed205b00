"""A person says what became of a send that nobody can look up: it happened, it did not, or nobody can tell."""

from uuid import UUID

from django.db import transaction

from audit import lifecycle, scope
from audit.actors import Actor
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.engine.resume import resume_step
from orchestrator.gate import reconcile
from orchestrator.gate.locks import lock_action
from orchestrator.gate.reconcile import Happened
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus

MEANS: dict[str, Happened] = {"happened": "yes", "did_not": "no", "cannot_tell": "unknown"}


@transaction.atomic
def answer(*, action_id: UUID, verdict: str, note: str, by: Actor) -> Action:
    """A person says what happened, because no probe can. Resumes the step that waited for the answer."""
    action = lock_action(action_id)
    if action.unit_id not in scope.unit_ids(by, "view"):
        raise NotVisible("There is no such action.")
    if not by.is_person or action.unit_id not in scope.unit_ids(by, "operate"):
        raise Forbidden("You need the operator role in this unit to say what happened.")
    if action.status != ActionStatus.UNKNOWN:
        raise Stale(f"The action is {action.status}; nobody has to say what happened.")
    if verdict not in MEANS or not note.strip():
        raise Invalid("Choose what happened and say how you know.", errors=[("/note", "required", "Say how you know.")])
    lifecycle.note(action, "action.answered_by_person", by=by, why=note, data={"verdict": verdict})
    happened = MEANS[verdict]
    reconcile.follow(action, happened, by=by, why=note)
    if action.step_id and happened != "unknown":
        resume_step(step_id=action.step_id, by=by, why=f"{by.name} says: {verdict.replace('_', ' ')}")
    return action
