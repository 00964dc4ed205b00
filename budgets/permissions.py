"""Which units an actor may see, operate, review or audit: guardian object permissions, read through one wrapper.

The wrapper refuses guardian's defaults: being a superuser, or holding a permission globally, opens no unit.
"""

from uuid import UUID

from django.db import connection
from guardian.shortcuts import assign_perm

from audit.actors import Actor
from audit.scope import Permission
from budgets.models import BusinessUnit

# guardian's own shortcut needs three queries for this, and every page asks it for several permissions.
HELD = """
WITH RECURSIVE held (unit_id) AS (
  SELECT grants.content_object_id FROM (
    SELECT content_object_id, permission_id FROM budgets_unituserpermission WHERE user_id = %(user)s
    UNION ALL
    SELECT content_object_id, permission_id FROM budgets_unitgrouppermission
    JOIN auth_user_groups USING (group_id) WHERE auth_user_groups.user_id = %(user)s
  ) AS grants
  JOIN auth_permission ON auth_permission.id = grants.permission_id AND codename = %(codename)s
  WHERE EXISTS (SELECT 1 FROM auth_user WHERE id = %(user)s AND is_active)
  UNION
  SELECT unit.id FROM budgets_businessunit AS unit JOIN held ON unit.parent_id = held.unit_id
)
SELECT unit_id FROM held
"""


def unit_ids(actor: Actor, permission: Permission) -> frozenset[UUID]:
    """Ids of units the actor holds `permission` in, those below them included. One query for people, none for agents."""
    if actor.user_id is None:
        return actor.unit_ids
    with connection.cursor() as cursor:
        cursor.execute(HELD, {"user": actor.user_id, "codename": f"{permission}_businessunit"})
        return frozenset(row[0] for row in cursor.fetchall())


def grant(to: object, permission: Permission, unit: BusinessUnit) -> None:
    """Give a user or a group a permission on a unit (and so on every unit below it)."""
    assign_perm(f"budgets.{permission}_businessunit", to, unit)


HOLDERS = """
WITH RECURSIVE up (unit_id) AS (
  SELECT %(unit)s::uuid UNION
  SELECT unit.parent_id FROM budgets_businessunit AS unit JOIN up ON unit.id = up.unit_id WHERE unit.parent_id IS NOT NULL
)
SELECT DISTINCT grants.user_id FROM (
  SELECT user_id, content_object_id, permission_id FROM budgets_unituserpermission
  UNION ALL
  SELECT auth_user_groups.user_id, content_object_id, permission_id FROM budgets_unitgrouppermission
  JOIN auth_user_groups USING (group_id)
) AS grants
JOIN auth_permission ON auth_permission.id = grants.permission_id AND codename = %(codename)s
JOIN auth_user ON auth_user.id = grants.user_id AND auth_user.is_active
WHERE %(unit)s::uuid IS NULL OR grants.content_object_id IN (SELECT unit_id FROM up)
"""


def people_with(permission: Permission, unit_id: UUID | None) -> set[int]:
    """Ids of everybody who holds `permission` in that unit, by themselves or by a group; None: in any unit at all."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, {"unit": unit_id, "codename": f"{permission}_businessunit"})
        return {row[0] for row in cursor.fetchall()}
