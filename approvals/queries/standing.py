"""The page of delegations and absences: what one person lends, was lent and has announced, and whom they may choose."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Q

from approvals.models import Absence, Delegation
from audit import scope
from audit.actors import Actor
from budgets.models import BusinessUnit
from budgets.permissions import people_with


@dataclass(frozen=True, slots=True)
class StandingPage:
    """Delegations and absences that are not over, and the choices of the two forms."""

    given: list[Delegation]
    received: list[Delegation]
    absences: list[Absence]
    units: list[tuple[str, str]]
    people: list[tuple[int, str]]


def standing(actor: Actor) -> StandingPage:
    mine = Q(delegator_id=actor.user_id) | Q(delegate_id=actor.user_id)
    rows = list(Delegation.objects.not_over().filter(mine).order_by("starts_at", "id"))
    units = BusinessUnit.objects.filter(pk__in=scope.unit_ids(actor, "review"))
    offered = [(str(unit.pk), unit.title) for unit in units.order_by("title")]
    return StandingPage(
        given=[row for row in rows if row.delegator_id == actor.user_id],
        received=[row for row in rows if row.delegate_id == actor.user_id],
        absences=list(Absence.objects.not_over().filter(person_id=actor.user_id).order_by("away_from")),
        units=offered,
        people=colleagues(actor),
    )


def colleagues(actor: Actor) -> list[tuple[int, str]]:
    """Everybody else who may look into a unit where the reader reviews."""
    ids = {person for unit in scope.unit_ids(actor, "review") for person in people_with("view", unit)}
    users = get_user_model().objects.filter(pk__in=ids - {actor.user_id})
    return sorted(((user.pk, user.get_full_name() or user.get_username()) for user in users), key=lambda one: one[1])
