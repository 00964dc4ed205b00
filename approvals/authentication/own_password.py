"""A person's own password: changed by whoever shows that it is they, and recorded. A stolen session does not get to keep it."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from approvals.authentication import guessing, own_factors
from approvals.authentication.own_factors import Proof
from approvals.rules.permissions import person_id
from audit import events
from audit.acting import acting
from audit.actors import Actor
from audit.refusals import Invalid


def change(*, by: Actor, new: str, proof: Proof) -> Any:
    """Put a new one in place of theirs; the account as it is now. Every sign-in under the old one ends with it.

    Raises Invalid, NotConfirmed, TooManyGuesses.
    """
    _refuse_weak(new)
    own_factors.prove(by, proof)
    with acting(by):
        guessing.take_turn(by)
        user: Any = get_user_model().objects.select_for_update().get(pk=person_id(by))
        user.set_password(new)
        user.save(update_fields=["password"])
        events.record("person.password_changed", by=by)
        return user


def _refuse_weak(new: str) -> None:
    try:
        validate_password(new)
    except ValidationError as faults:
        words = " ".join(faults.messages)
        raise Invalid(words, errors=[("/new", "weak", words)]) from None
