"""Business units: the wall between tenants, and who holds which permission on them."""

from typing import ClassVar
from uuid import UUID
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from audit.definitions import Definition, DefinitionStatus, definition_lifecycle
from audit.lifecycle import Lifecycle
from audit.refusals import Refusal

UNIT = definition_lifecycle("business unit")


def known_time_zone(name: str) -> None:
    """Raises ValidationError for a name that the time zone database does not have."""
    if name not in available_timezones():
        raise ValidationError(f"There is no time zone “{name}”. Write it like this: Europe/Oslo.")


class BusinessUnit(Definition):
    """A node of the organisation tree. A permission on a unit covers every unit below it."""

    lifecycle: ClassVar[Lifecycle] = UNIT
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80, unique=True, help_text="Short name used in files and commands: nordics")
    title = models.CharField(max_length=200)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT)
    currency = models.CharField(max_length=3, default="EUR", help_text="ISO 4217 code")
    time_zone = models.CharField(
        max_length=60, default="UTC", db_default="UTC", validators=[known_time_zone],
        help_text="Budgets of the unit begin anew at midnight there: Europe/Oslo",
    )  # fmt: skip

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

    def came_into_force(self) -> None:
        """From the top down, so no circle either. Raises Refusal where the unit above is not in force."""
        if self.parent_id is None:
            return
        above = BusinessUnit.objects.select_for_update().get(pk=self.parent_id)
        if above.status != DefinitionStatus.ACTIVE:
            raise Refusal(
                f"{above}, which it stands below, is {above.status}.",
                remedy="Activate that one first."
                if above.status == DefinitionStatus.DRAFT
                else "Edit this draft: choose another one.",
                code="parent_not_in_force",
            )


class UnitUserPermission(UserObjectPermissionBase):
    """Direct foreign keys instead of guardian's generic ones: indexed, and gone with the unit (guardian #15)."""

    content_object = models.ForeignKey(BusinessUnit, on_delete=models.CASCADE)


class UnitGroupPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(BusinessUnit, on_delete=models.CASCADE)
