"""Which units an actor may see, operate, review or audit: guardian object permissions, read through one wrapper.

The wrapper refuses guardian's defaults: being a superuser, or holding a permission globally, opens no unit.
"""

from collections import defaultdict
from typing import Any, NamedTuple, get_args
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection
from guardian.shortcuts import assign_perm, remove_perm

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.scope import Permission
from budgets.models import BusinessUnit, UnitGroupPermission, UnitUserPermission
from budgets.units import lineage

# guardian's own shortcut needs three queries for this, and every page asks it for several permissions.
HELD = """
WITH RECURSIVE held (codename, unit_id) AS (
  SELECT auth_permission.codename, grants.content_object_id FROM (
    SELECT content_object_id, permission_id FROM budgets_unituserpermission WHERE user_id = %(user)s
    UNION ALL
    SELECT content_object_id, permission_id FROM budgets_unitgrouppermission
    JOIN auth_user_groups USING (group_id) WHERE auth_user_groups.user_id = %(user)s
  ) AS grants
  JOIN auth_permission ON auth_permission.id = grants.permission_id AND codename = ANY(%(codenames)s)
  WHERE EXISTS (SELECT 1 FROM auth_user WHERE id = %(user)s AND is_active)
  UNION
  SELECT held.codename, unit.id FROM budgets_businessunit AS unit JOIN held ON unit.parent_id = held.unit_id
)
SELECT codename, unit_id FROM held
"""


def unit_ids(actor: Actor, permission: Permission) -> frozenset[UUID]:
    """Ids of units the actor holds `permission` in, those below them included. One query for people, none for agents.

    While a page is read (the actor keeps answers), the one query answers for every permission.
    """
    if actor.user_id is None:
        return actor.unit_ids
    asked = [permission] if actor.answers is None else [*get_args(Permission)]
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"user": actor.user_id, "codenames": [f"{name}_businessunit" for name in asked]})
        rows = cursor.fetchall()
    found = {name: frozenset(unit for codename, unit in rows if codename == f"{name}_businessunit") for name in asked}
    if actor.answers is not None:
        actor.answers.update(found)
    return found[permission]


def sees_every_unit(actor: Actor) -> bool:
    """Every unit in force: a draft has nothing in it yet, and in a retired one nothing begins any more."""
    others = BusinessUnit.objects.exclude(pk__in=scope.unit_ids(actor, "view"))
    return not others.filter(status=DefinitionStatus.ACTIVE).exists()


def grant(to: object, permission: Permission, unit: BusinessUnit) -> None:
    """Give a user or a group a permission on a unit (and so on every unit below it)."""
    assign_perm(f"budgets.{permission}_businessunit", to, unit)


def withdraw(of: object, permission: Permission, unit: BusinessUnit) -> None:
    """Take it back. What they hold through a group, or on a unit above, is not touched."""
    remove_perm(f"budgets.{permission}_businessunit", of, unit)


class Given(NamedTuple):
    """What one person or group was given on one unit itself."""

    unit: BusinessUnit
    to: Any
    permissions: list[str]


def given() -> list[Given]:
    """All that was given, by unit and name: groups before people."""
    found: dict[tuple[BusinessUnit, Any], set[str]] = defaultdict(set)
    for model, to in ((UnitGroupPermission, "group"), (UnitUserPermission, "user")):
        for row in model.objects.select_related("content_object", "permission", to).order_by(f"{to}_id"):
            found[row.content_object, getattr(row, to)].add(row.permission.codename.removesuffix("_businessunit"))
    ordered = get_args(Permission)
    rows = [Given(unit, to, [name for name in ordered if name in held]) for (unit, to), held in found.items()]
    return sorted(rows, key=lambda row: row.unit.name)


# The other way round: who holds a permission on one of these units, by themselves or through a group.
HOLDERS = """
SELECT DISTINCT holder.user_id FROM (
  SELECT user_id, permission_id, content_object_id FROM budgets_unituserpermission
  UNION ALL
  SELECT auth_user_groups.user_id, permission_id, content_object_id FROM budgets_unitgrouppermission
  JOIN auth_user_groups USING (group_id)
) AS holder
JOIN auth_permission ON auth_permission.id = holder.permission_id AND codename = %(codename)s
JOIN auth_user ON auth_user.id = holder.user_id AND is_active
WHERE %(units)s::uuid[] IS NULL OR content_object_id = ANY(%(units)s::uuid[])
"""


def people_with(permission: Permission, unit_id: UUID | None) -> set[int]:
    """Ids of the active people who hold `permission` on the unit: given there or on a unit above it. None: on any at all."""
    units = None if unit_id is None else lineage(unit_id)
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, {"units": units, "codename": f"{permission}_businessunit"})
        return {row[0] for row in cursor.fetchall()}


# Whoever may add to the ledger by hand, in the units they see.
CORRECTS = "budgets.add_ledgerentry"


def may_correct(actor: Actor) -> bool:
    """May this person correct cost lines at all? Asked of the database each time: who lost the permission has lost it."""
    if actor.user_id is None:
        return False
    user: Any = get_user_model().objects.filter(pk=actor.user_id, is_active=True).first()
    return user is not None and user.has_perm(CORRECTS)
