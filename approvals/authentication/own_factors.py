"""A person's own second factors: added, removed, and reset by an administrator. Each is recorded.

Whoever has a factor shows one to change them; the password alone opens that door only to somebody who has none. A
stolen session can therefore not add a factor of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.contrib.auth import get_user_model
from django.db import transaction

from approvals.authentication import factors, guessing, step_up
from approvals.authentication.factors import NOTHING, OWN_FACTORS, Factors, Given
from approvals.authentication.step_up import NotConfirmed
from approvals.models import FactorKind, Guesses
from approvals.rules.administrators import is_administrator
from approvals.rules.permissions import person_id
from audit import events, lifecycle, people, scope
from audit.actors import Actor
from audit.refusals import Forbidden, Invalid, NotVisible, Refusal, Stale

SHORTEST_WHY = 10
LONGEST_NAME = 60
MOST_PASSKEYS = 10


class LastFactor(Refusal):
    """A reviewer without a factor signs nothing that matters, and the next one would need no more than the password."""

    code = "last_factor"


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that it is the person and not only their session: a factor, or the password while they have none."""

    password: str = ""
    given: Given = NOTHING


def add_app(*, by: Actor, secret: str, code: str, proof: Proof) -> Authenticator:
    """Add the authenticator app that shows this code. There is one of it. Its code is used up.

    Like every verb here it shows who it is in a transaction of its own first, where a wrong try is counted.
    Raises Invalid, Stale, NotConfirmed, TooManyGuesses.
    """
    counter = factors.counter_of(secret, code, lifecycle.database_now())
    if counter is None:
        words = "This is not the code the app shows now. Is the clock of your device right?"
        raise Invalid(words, errors=[("/app_code", "wrong", words)])
    _refuse_second_app(factors.of_person(by))
    prove(by, proof)
    with transaction.atomic():
        guessing.take_turn(by)
        _refuse_second_app(factors.of_person(by))
        app: Authenticator = TOTP.activate(_user(by), secret).instance
        step_up.use_up(app, f"totp:{app.pk}:{counter}", by=by)
        return _told(app, "person.factor_added", by)


def _refuse_second_app(found: Factors) -> None:
    if found.app:
        raise Stale("You have an authenticator app already. Remove it first, or add a passkey beside it.")


def add_passkey(*, by: Actor, name: str, credential: Mapping[str, Any], note: str, proof: Proof) -> Authenticator:
    """Add a passkey that a device has just made for this site. Raises Invalid, NotConfirmed, TooManyGuesses."""
    if not factors.is_created(credential, note, by=by):
        words = "The device's answer does not fit what it was asked. Try again."
        raise Invalid(words, errors=[("/name", "wrong", words)])
    prove(by, proof)
    with transaction.atomic():
        guessing.take_turn(by)
        if len(factors.of_person(by).passkeys) >= MOST_PASSKEYS:
            raise Stale(f"{MOST_PASSKEYS} passkeys are the most. Remove one first.")
        called = name.strip()[:LONGEST_NAME] or "Passkey"
        return _told(WebAuthn.add(_user(by), called, dict(credential)).instance, "person.factor_added", by)


def make_recovery_codes(*, by: Actor, proof: Proof) -> list[str]:
    """New codes; the old ones stop working. They are the way back to one's factors, and sign nothing."""
    if not factors.of_person(by).signing:
        raise Stale("Recovery codes stand in for a lost factor: add an authenticator app or a passkey first.")
    prove(by, proof)
    with transaction.atomic():
        guessing.take_turn(by)
        Authenticator.objects.filter(user_id=by.user_id, type=FactorKind.RECOVERY_CODES).delete()
        made = RecoveryCodes.activate(_user(by))
        _told(made.instance, "person.recovery_codes_made", by)
        codes: list[str] = made.get_unused_codes()
        return codes


def remove(*, by: Actor, factor_id: int, proof: Proof) -> None:
    """Take one away. The last one stays while its owner reviews. Raises NotVisible, LastFactor, NotConfirmed."""
    _refuse_removing(factors.of_person(by), factor_id, by)
    prove(by, proof)
    with transaction.atomic():
        guessing.take_turn(by)
        found = factors.of_person(by)
        _told(_refuse_removing(found, factor_id, by), "person.factor_removed", by)
        left = [row for row in found.signing if row.pk != factor_id]
        # Codes that lead back to nothing would only keep the password from opening the door again.
        gone = [factor_id] if left else [row.pk for row in found.rows]
        Authenticator.objects.filter(pk__in=gone).delete()


def _refuse_removing(found: Factors, factor_id: int, by: Actor) -> Authenticator:
    factor = next((row for row in found.rows if row.pk == factor_id), None)
    if factor is None:
        raise NotVisible("You have no such factor.")
    if [factor] == found.signing and scope.unit_ids(by, "review"):
        raise LastFactor(
            "It is your last factor, and as a reviewer you need one.",
            remedy="Add the new one first. If this one is lost, an administrator can reset your factors.",
        )
    return factor


@transaction.atomic
def reset(*, user_id: int, by: Actor, why: str) -> int:
    """An administrator takes all of somebody's factors away, after a loss; how many. Never their own, under no account."""
    user: Any = get_user_model().objects.select_for_update().filter(pk=user_id).first()
    if user is None or not is_administrator(by):
        raise NotVisible("There is no such person.")
    if user_id in people.accounts_behind(by):
        raise Forbidden("These are your own factors: another administrator has to reset them.", code="own_factors")
    if len(why.strip()) < SHORTEST_WHY:
        words = f"Say in at least {SHORTEST_WHY} characters why, and how you know that it is they who ask."
        raise Invalid("A reset needs its reason.", errors=[("/why", "too_short", words)])
    rows = Authenticator.objects.filter(user_id=user_id)
    kinds = sorted(rows.values_list("type", flat=True))
    rows.delete()
    Guesses.objects.filter(person_id=user_id).delete()
    told = {"person": f"user:{user_id}", "name": user.get_username(), "factors": kinds}
    events.record("person.factors_reset", by=by, why=why.strip()[:1000], data=told)
    return len(kinds)


def prove(by: Actor, proof: Proof) -> None:
    """That it is they: with one of their factors, or with the password while they have none.

    Raises Invalid, NotConfirmed or TooManyGuesses, with the wrong try counted. A field that was left empty is no try.
    """
    has_factors = bool(factors.of_person(by).rows)
    if has_factors and not proof.given:
        raise NotConfirmed("Show that it is you, with a code or a passkey.")
    if not has_factors and not proof.password:
        words = "Type your password."
        raise Invalid(words, errors=[("/password", "required", words)])
    judged = (
        step_up.used_for(OWN_FACTORS, by=by, given=proof.given) if has_factors else _by_password(by, proof.password)
    )
    if isinstance(judged, Refusal):
        raise judged


@transaction.atomic(durable=True)
def _by_password(by: Actor, password: str) -> Refusal | None:
    try:
        guesses = guessing.take_turn(by)
    except guessing.TooManyGuesses as refusal:
        return refusal
    if _user(by).check_password(password):
        guessing.right(guesses)
        return None
    guessing.wrong(guesses, by, "password")
    words = "This is not your password."
    return Invalid(words, errors=[("/password", "wrong", words)])


def _user(by: Actor) -> Any:
    return get_user_model().objects.get(pk=person_id(by))


def _told(factor: Authenticator, event: str, by: Actor) -> Authenticator:
    events.record(event, by=by, data={"factor": factor.type, "number": factor.pk, "name": factors.name_of(factor)})
    return factor
