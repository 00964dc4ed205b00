"""Lending one's right to sign, saying that one is away, and taking either back."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from approvals.models import Absence, Delegation
from approvals.rules.permissions import person_id
from audit import actors, events, lifecycle, scope
from audit.actors import Actor
from audit.refusals import Forbidden, Invalid, NotVisible, Refusal
from budgets.models import BusinessUnit

LENT_AT_MOST = timedelta(days=92)
Row = TypeVar("Row")


class AlreadySaid(Refusal):
    """It adds nothing to what runs or is planned; and whoever ends the one would think that the other is over as well."""

    code = "already_said"


class CannotStandIn(Refusal):
    """This person cannot be lent the right."""

    code = "cannot_stand_in"


@transaction.atomic
def delegate(*, unit_id: UUID, to: int, starts_at: datetime, ends_at: datetime, by: Actor) -> Delegation:
    """Lend one's own right to sign in one unit, for dates.

    Depth one: only the role itself can be lent, never a right that was lent. The other person must be able to look into
    the unit already: a reviewer lends a signature, and opens no wall between units.
    """
    if not by.is_person or unit_id not in scope.unit_ids(by, "review"):
        raise Forbidden(
            "Only a reviewer of the unit can delegate there. A right that was delegated to you cannot be passed on.",
            code="not_a_reviewer",
        )
    other = _person(to, by)
    if unit_id not in scope.unit_ids(other, "view"):
        raise CannotStandIn(
            f"{other.name} may not look into this unit.",
            remedy="An administrator can give them the view permission first.",
        )
    _refuse_dates(starts_at, ends_at, "/ends_at")
    _one_at_a_time(by)
    lent = Delegation.objects.not_over().filter(unit_id=unit_id, delegator_id=by.user_id, delegate_id=to)
    times = [(one, one.starts_at, one.ends_at) for one in lent]
    says, remedy = f"{other.name} can sign for you there already", "Choose a later end, or take that one back first."
    if same := _said_before(times, starts_at, ends_at, says=says, remedy=remedy):
        return same
    row = Delegation.objects.create(
        unit_id=unit_id, unit_title=BusinessUnit.objects.get(pk=unit_id).title, delegator_id=person_id(by),
        delegator_name=by.name, delegate_id=to, delegate_name=other.name, starts_at=starts_at, ends_at=ends_at,
    )  # fmt: skip
    data = {"to": other.key, "starts_at": starts_at.isoformat(), "ends_at": ends_at.isoformat()}
    events.record("delegation.given", by=by, stream=row.stream, object_id=row.pk, unit_id=unit_id, data=data)
    return row


@transaction.atomic
def revoke(*, delegation_id: UUID, by: Actor) -> Delegation:
    """End it now: the lender takes it back, or the other person gives it back. Signatures already given stay what they are."""
    row: Delegation | None = Delegation.objects.select_for_update().filter(pk=delegation_id).first()
    if row is None or by.user_id not in {row.delegator_id, row.delegate_id}:
        raise NotVisible("There is no such delegation of yours.")
    now = lifecycle.database_now()
    if row.revoked_at or row.ends_at <= now:
        raise Refusal("This delegation is over already.")
    row.revoked_at = now
    row.save(update_fields=["revoked_at"])
    events.record("delegation.revoked", by=by, stream=row.stream, object_id=row.pk, unit_id=row.unit_id)
    return row


@transaction.atomic
def go_away(*, away_from: datetime, away_until: datetime, stand_in: int | None, by: Actor) -> Absence:
    """Say that one is away, and who looks after what one is asked. It gives the stand-in no right to sign."""
    other = _person(stand_in, by) if stand_in is not None else None
    _refuse_dates(away_from, away_until, "/away_until")
    _one_at_a_time(by)
    announced = Absence.objects.not_over().filter(person_id=by.user_id, stand_in_id=stand_in)
    times = [(one, one.away_from, one.away_until) for one in announced]
    says, remedy = "You have announced that already", "Choose a later end, or end that one first."
    if same := _said_before(times, away_from, away_until, says=says, remedy=remedy):
        return same
    row = Absence.objects.create(
        person_id=person_id(by), person_name=by.name, stand_in_id=stand_in, stand_in_name=other.name if other else "",
        away_from=away_from, away_until=away_until,
    )  # fmt: skip
    data = {
        "away_from": away_from.isoformat(),
        "away_until": away_until.isoformat(),
        "stand_in": other.key if other else "",
    }
    events.record("absence.announced", by=by, stream=row.stream, object_id=row.pk, data=data)
    return row


@transaction.atomic
def come_back(*, absence_id: UUID, by: Actor) -> Absence:
    """The absence is over, or does not come about."""
    row: Absence | None = Absence.objects.select_for_update().filter(pk=absence_id, person_id=by.user_id).first()
    if row is None:
        raise NotVisible("There is no such absence of yours.")
    now = lifecycle.database_now()
    if row.revoked_at or row.away_until <= now:
        raise Refusal("This absence is over already.")
    row.revoked_at = now
    row.save(update_fields=["revoked_at"])
    events.record("absence.revoked", by=by, stream=row.stream, object_id=row.pk)
    return row


def _one_at_a_time(by: Actor) -> None:
    """Until the end of the transaction: of two tabs the second sees what the first one did."""
    get_user_model().objects.select_for_update(no_key=True).get(pk=person_id(by))


def _said_before(
    times: Iterable[tuple[Row, datetime, datetime]], starts: datetime, ends: datetime, *, says: str, remedy: str
) -> Row | None:
    """The row that says exactly this. Raises AlreadySaid where one of them leaves nothing to add."""
    for row, since, until in times:
        if (since, until) == (starts, ends):
            return row
        # What has begun covers the past as well.
        if until >= ends and since <= max(starts, lifecycle.database_now()):
            said = f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            raise AlreadySaid(f"{says}, until {said}. Nothing was recorded.", remedy=remedy)
    return None


def _person(user_id: int, by: Actor) -> Actor:
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise CannotStandIn("There is no such person, or their account is disabled.")
    if user.pk == by.user_id:
        raise CannotStandIn("Nobody stands in for themselves: choose another person.")
    return actors.person(user.pk, user.get_full_name() or user.get_username())


def _refuse_dates(starts_at: datetime, ends_at: datetime, pointer: str) -> None:
    if ends_at <= starts_at or ends_at <= lifecycle.database_now():
        raise Invalid("The end must lie after the beginning, and in the future.",
                      errors=[(pointer, "too_early", "Choose a later end.")])  # fmt: skip
    if ends_at - starts_at > LENT_AT_MOST:
        raise Invalid(f"At most {LENT_AT_MOST.days} days at a time.",
                      errors=[(pointer, "too_late", "Choose an earlier end.")])  # fmt: skip
