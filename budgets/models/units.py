"""Business units: the wall between tenants, and who holds which permission on them."""

from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from audit.definitions import Definition, definition_lifecycle
from audit.lifecycle import Lifecycle

UNIT = definition_lifecycle("business unit")


class BusinessUnit(Definition):
    """A node of the organisation tree. A permission on a unit covers every unit below it."""

    lifecycle: ClassVar[Lifecycle] = UNIT
    name = models.SlugField(max_length=80, unique=True, help_text="Short name used in files and commands: nordics")
    title = models.CharField(max_length=200)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    currency = models.CharField(max_length=3, default="EUR", help_text="ISO 4217 code")

    class Meta(Definition.Meta):
        permissions = [
            ("operate_businessunit", "Can start, cancel and redrive executions of the unit"),
            ("review_businessunit", "Can decide on approvals of the unit"),
            ("audit_businessunit", "Can read the audit trail of the unit"),
        ]
        constraints = [
            *Definition.Meta.constraints,
            models.CheckConstraint(name="unit_is_not_its_own_parent", condition=~models.Q(parent=models.F("id"))),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def stream_unit(self) -> UUID | None:
        return self.pk


class UnitUserPermission(UserObjectPermissionBase):
    """Direct foreign keys instead of guardian's generic ones: indexed, and gone with the unit (guardian #15)."""

    content_object = models.ForeignKey(BusinessUnit, on_delete=models.CASCADE)


class UnitGroupPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(BusinessUnit, on_delete=models.CASCADE)
