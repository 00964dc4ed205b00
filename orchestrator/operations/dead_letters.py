"""What a person does with one dead letter: let the step try again, or discard it with a reason."""

from uuid import UUID

from django.db import transaction

from audit import scope
from audit.actors import Actor
from audit.refusals import Invalid, NotVisible, Stale
from orchestrator.engine.letters import discard_step, lock_open, redrive_step
from orchestrator.models import DeadLetter, DiscardCode, Execution
from orchestrator.operations.executions import refuse_unless_operator


@transaction.atomic
def requeue(*, letter_id: UUID, by: Actor) -> DeadLetter:
    """Queue the step for a fresh set of tries under its old keys. Fixed only when it is later seen to succeed.

    Raises NotVisible, Forbidden, Stale.
    """
    execution, letter = _open_letter(letter_id, by)
    redrive_step(execution, letter, by=by)
    return letter


@transaction.atomic
def discard(*, letter_id: UUID, by: Actor, code: str, note: str = "") -> DeadLetter:
    """Give the work up for good, with a reason: the execution is cancelled. Raises Invalid, NotVisible, Forbidden, Stale."""
    refuse_without_reason(code, note)
    execution, letter = _open_letter(letter_id, by)
    discard_step(execution, letter, by=by, code=code, why=note.strip() or DiscardCode(code).label)
    return letter


def refuse_without_reason(code: str, note: str) -> None:
    """Given up is given up with a word that can be counted; "other" says nothing without a note."""
    if code not in DiscardCode.values:
        raise Invalid("Say why it is discarded.", errors=[("/reason_code", "required", "Choose a reason.")])
    if code == DiscardCode.OTHER and not note.strip():
        raise Invalid("A note is needed.", errors=[("/note", "required", "The reason “other” needs a note.")])


def _open_letter(letter_id: UUID, by: Actor) -> tuple[Execution, DeadLetter]:
    found = DeadLetter.objects.filter(pk=letter_id).first()
    if found is None or found.unit_id not in scope.unit_ids(by, "view"):
        raise NotVisible("There is no such dead letter.")
    refuse_unless_operator(by, found.unit_id, found.unit_title)
    return lock_open(found)


__all__ = ["Stale", "discard", "refuse_without_reason", "requeue"]
