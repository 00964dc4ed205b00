"""How often may somebody be wrong? Counted on the database, so that it holds for all processes and survives a restart.

Five wrong ones in a row lock for a quarter of an hour, the next five for twice as long, up to a day. Only a right one
sets the count back, so that patience does not help either.
"""

from datetime import timedelta

from approvals.models import Guesses
from approvals.rules.permissions import person_id
from audit import events, lifecycle
from audit.actors import Actor
from audit.refusals import Refusal

IN_A_ROW = 5
FIRST_LOCK = timedelta(minutes=15)
LONGEST_LOCK = timedelta(days=1)


def pause_after(wrong: int) -> timedelta | None:
    """How long the latest of so many wrong ones in a row locks; None: it does not."""
    if wrong == 0 or wrong % IN_A_ROW:
        return None
    pause: timedelta = FIRST_LOCK * 2 ** min(wrong // IN_A_ROW - 1, 10)
    return min(pause, LONGEST_LOCK)


class TooManyGuesses(Refusal):
    """Locked for a while: nothing is even looked at."""

    code = "too_many_guesses"


def take_turn(by: Actor) -> Guesses:
    """This person's count, locked until the transaction ends: nobody tries twice at the same instant.

    Raises TooManyGuesses.
    """
    Guesses.objects.get_or_create(person_id=person_id(by))
    guesses: Guesses = Guesses.objects.select_for_update().get(person_id=by.user_id)
    if guesses.locked_until is not None and lifecycle.database_now() < guesses.locked_until:
        raise TooManyGuesses(
            f"Too many wrong codes or passwords. Try again after {guesses.locked_until:%H:%M} UTC.",
            remedy="If it was not you, tell an administrator: somebody may be using your sign-in.",
        )
    return guesses


def wrong(guesses: Guesses, by: Actor, what: str) -> None:
    """Count a wrong one, and lock after every fifth in a row."""
    guesses.wrong += 1
    pause = pause_after(guesses.wrong)
    if pause:
        guesses.locked_until = lifecycle.database_now() + pause
    guesses.save(update_fields=["wrong", "locked_until"])
    events.record("person.factor_refused", by=by, why=what, data={"in_a_row": guesses.wrong})
    if pause and guesses.locked_until:
        events.record("person.factor_locked", by=by, data={"until": guesses.locked_until.isoformat()})


def right(guesses: Guesses) -> None:
    if guesses.wrong:
        guesses.wrong, guesses.locked_until = 0, None
        guesses.save(update_fields=["wrong", "locked_until"])
