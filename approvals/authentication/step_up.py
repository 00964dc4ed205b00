"""Whoever decides on what needs it confirms with a second factor, bound to exactly that request, digest and revision.

Two transactions, on purpose: a wrong code is counted although the decision is refused, and what was typed right is not
asked again when the decision is refused for something else. Between them stands the confirmation, good for five minutes.
"""

from datetime import timedelta
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from approvals.authentication import factors, guessing
from approvals.authentication.factors import FRESH_SECONDS, OWN_FACTORS, Binding, Given, Used
from approvals.models import ApprovalRequest, BreakGlass, Confirmation, Decision
from approvals.rules.permissions import person_id
from audit import events, lifecycle
from audit.actors import Actor
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden, Invalid, Refusal

WRONG_CODE = "This is not the code that your app shows now. Nothing was recorded."
WRONG_DEVICE = "What your device signed is not what is shown here. Nothing was recorded."


class NoFactor(Forbidden):
    """There is nothing this person could confirm with."""

    code = "no_second_factor"


class NotConfirmed(Invalid):
    """The factor is missing, wrong, used up, too old, or was used for something else."""

    code = "not_confirmed"

    def __init__(self, message: str) -> None:
        super().__init__(message, errors=[("/code", "not_confirmed", message)])


class UsedBefore(NotConfirmed):
    """It was right, once."""

    code = "used_before"


def confirm(*, request_id: UUID, by: Actor, digest: str, revision: int, given: Given) -> Confirmation:
    """Judge a code or an assertion and use it up, for one decision over exactly this digest and revision.

    It takes a transaction of its own, because a wrong one is counted. Raises NotVisible, NoFactor, NotConfirmed,
    TooManyGuesses.
    """
    request = visible_or_refuse(ApprovalRequest.objects.visible_to(by), request_id, "approval request")
    refuse_without_factor(by)
    found = used_for(Binding(request.pk, digest, revision), by=by, given=given)
    if isinstance(found, Refusal):
        raise found
    return found


def refuse_without_factor(by: Actor) -> None:
    if not factors.of_person(by).signing:
        raise NoFactor(
            "This decision takes a second factor, and you have none yet. Nothing was recorded.",
            remedy="Add one under Preferences, Second factors, and come back.",
        )


@transaction.atomic(durable=True)
def used_for(binding: Binding, *, by: Actor, given: Given) -> Confirmation | Refusal:
    """The use of a factor, stored and recorded; or why not, handed out rather than raised so that the count stays."""
    try:
        guesses = guessing.take_turn(by)
    except guessing.TooManyGuesses as refusal:
        return refusal
    used = factors.judge(given, by=by, binding=binding)
    if used is None:
        guessing.wrong(guesses, by, "passkey" if given.assertion else "code")
        return NotConfirmed(WRONG_DEVICE if given.assertion else WRONG_CODE)
    before = Confirmation.objects.filter(once=used.once).select_related("decision").first()
    if before is not None:
        return _again(before, binding, by)
    guessing.right(guesses)
    return _stored(used, binding, by)


def _again(before: Confirmation, binding: Binding, by: Actor) -> Confirmation | Refusal:
    """A code is good once. Only whoever has decided with it meets their own decision again: a double click."""
    same = (before.request_id, before.digest, before.revision) == (
        binding.request_id, binding.digest, binding.revision,
    )  # fmt: skip
    if same and before.person_id == by.user_id and is_used(before):
        return before
    events.record("person.factor_refused", by=by, why="used before", data={"confirmation": str(before.pk)})
    return UsedBefore("This code was used once already. Wait for the next one; nothing was recorded.")


def use_up(factor: Authenticator, once: str, *, by: Actor) -> None:
    """The code that a new app was shown with has done its work: it confirms nothing besides."""
    _stored(Used(factor, once), OWN_FACTORS, by)


def _stored(used: Used, binding: Binding, by: Actor) -> Confirmation:
    used.factor.record_usage()
    confirmation = Confirmation.objects.create(
        person_id=person_id(by),
        request_id=binding.request_id,
        digest=binding.digest,
        revision=binding.revision,
        kind=used.factor.type,
        factor_id=used.factor.pk,
        factor_name=factors.name_of(used.factor),
        once=used.once,
    )
    # What it was for stands in the entry of the signature: until then a second reviewer must not read who is signing.
    told = {"factor": confirmation.kind, "confirmation": str(confirmation.pk)}
    events.record("person.confirmed", by=by, data=told)
    return confirmation


def refuse_unconfirmed(request: ApprovalRequest, by: Actor, confirmation_id: UUID | None) -> Confirmation | None:
    """The confirmation that goes with this decision; None where none is asked for. The request's row is locked by the caller.

    Raises NoFactor, and NotConfirmed unless it is this person's, made within five minutes for exactly what waits now, unused, and
    with a factor they still have.
    """
    if not request.asks_step_up:
        return None
    found = Confirmation.objects.filter(pk=confirmation_id, person_id=by.user_id).first() if confirmation_id else None
    if found is None:
        refuse_without_factor(by)
        raise NotConfirmed("Confirm that it is you, with your authenticator app or a passkey.")
    if (found.request_id, found.digest, found.revision) != (request.pk, request.digest, request.revision):
        raise NotConfirmed("You confirmed something else than what waits here. Confirm this, too.")
    if lifecycle.database_now() - found.at > timedelta(seconds=FRESH_SECONDS):
        raise NotConfirmed("You confirmed it more than five minutes ago. Confirm it again.")
    if is_used(found):
        raise NotConfirmed("This confirmation has made a decision already. Confirm again.")
    # Taken away because it was stolen, perhaps: what it was used for a minute ago is then not its owner's word either.
    if not any(row.pk == found.factor_id for row in factors.of_person(by).rows):
        raise NotConfirmed("What you confirmed with was taken away since. Confirm it with another one.")
    return found


def still_good(request: ApprovalRequest, by: Actor, confirmation_id: UUID | None) -> Confirmation | None:
    """For a page: is there anything left to confirm?"""
    try:
        return refuse_unconfirmed(request, by, confirmation_id)
    except Refusal:
        return None


def is_used(confirmation: Confirmation) -> bool:
    """Has it made a decision, or broken a glass? The database allows each only once."""
    return (
        Decision.objects.filter(confirmation=confirmation).exists()
        or BreakGlass.objects.filter(confirmation=confirmation).exists()
    )
