"""What a person does with one dead letter: let the step try again, or discard it with a reason."""

from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.queries import visible_or_refuse
from audit.refusals import Invalid
from orchestrator.engine import cancel
from orchestrator.engine.dead_letters.letters import lock_open, redrive_step
from orchestrator.models import DeadLetter, DiscardCode
from orchestrator.operations.executions import refuse_unless_operator


@transaction.atomic
def requeue(*, letter_id: UUID, by: Actor) -> DeadLetter:
    """Queue the step for a fresh set of tries under its old keys. Fixed only when it is later seen to succeed.

    Raises NotVisible, Forbidden, Stale.
    """
    execution, letter = lock_open(_letter(letter_id, by))
    redrive_step(execution, letter, by=by)
    return letter


@transaction.atomic
def discard(*, letter_id: UUID, by: Actor, code: str, note: str = "") -> DeadLetter:
    """Give the work up for good, with a reason: the execution is cancelled. Raises Invalid, NotVisible, Forbidden, Stale."""
    refuse_without_reason(code, note)
    return cancel.discard(_letter(letter_id, by), by=by, code=code, why=note.strip() or DiscardCode(code).label)


def refuse_without_reason(code: str, note: str) -> None:
    """Given up is given up with a word that can be counted; "other" says nothing without a note."""
    if code not in DiscardCode.values:
        raise Invalid("Say why it is discarded.", errors=[("/reason_code", "required", "Choose a reason.")])
    if code == DiscardCode.OTHER and not note.strip():
        raise Invalid("A note is needed.", errors=[("/note", "required", "The reason “other” needs a note.")])


def _letter(letter_id: UUID, by: Actor) -> DeadLetter:
    found: DeadLetter = visible_or_refuse(DeadLetter.objects.visible_to(by), letter_id, "dead letter")
    refuse_unless_operator(by, found.unit_id, found.unit_title)
    return found
