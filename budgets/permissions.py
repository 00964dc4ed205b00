"""Which units an actor may see, operate, review or audit: guardian object permissions, read through one wrapper.

The wrapper refuses guardian's defaults: being a superuser, or holding a permission globally, opens no unit.
"""

from uuid import UUID

from django.contrib.auth import get_user_model
from guardian.shortcuts import assign_perm, get_objects_for_user

from audit.actors import Actor
from audit.scope import Permission
from budgets.models import BusinessUnit


def unit_ids(actor: Actor, permission: Permission) -> frozenset[UUID]:
    """Ids of units the actor holds `permission` in, those below them included. One query for people, none for agents."""
    if actor.user_id is None:
        return actor.unit_ids
    user = get_user_model().objects.filter(pk=actor.user_id, is_active=True).first()
    if user is None:
        return frozenset()
    held = get_objects_for_user(
        user, f"budgets.{permission}_businessunit", BusinessUnit, with_superuser=False, accept_global_perms=False
    )
    return _with_descendants(frozenset(held.values_list("pk", flat=True)))


def _with_descendants(roots: frozenset[UUID]) -> frozenset[UUID]:
    if not roots:
        return roots
    found, frontier = set(roots), set(roots)
    parents = list(BusinessUnit.objects.filter(parent__isnull=False).values_list("pk", "parent_id"))
    while frontier:
        frontier = {child for child, parent in parents if parent in frontier and child not in found}
        found |= frontier
    return frozenset(found)


def grant(to: object, permission: Permission, unit: BusinessUnit) -> None:
    """Give a user or a group a permission on a unit (and so on every unit below it)."""
    assign_perm(f"budgets.{permission}_businessunit", to, unit)  # type: ignore[arg-type]
