"""Letters that ask nobody any more: a fallback did their work, or their execution is over."""

from typing import Any

from audit.actors import Actor
from audit.lifecycle import move
from orchestrator.models import DeadLetter, Execution
from orchestrator.statuses import DeadLetterStatus

OPEN_ENDED = [DeadLetterStatus.OPEN, DeadLetterStatus.REDRIVEN]


def end_letters(execution: Execution, *, by: Actor, why: str, **only: Any) -> None:
    """End the letters of the locked execution, or `only` some of them."""
    for letter in DeadLetter.objects.filter(execution=execution, status__in=OPEN_ENDED, **only):
        move(letter, to=DeadLetterStatus.ENDED, by=by, why=why[:1000])
