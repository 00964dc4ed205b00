"""Business units (the wall between tenants) and the append-only ledger. Executions are opaque ids here."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from audit import scope
from audit.actors import Actor
from audit.definitions import Definition, definition_lifecycle
from audit.ids import new_id
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


class LedgerEntryQuerySet(models.QuerySet["LedgerEntry"]):
    def visible_to(self, actor: Actor) -> "LedgerEntryQuerySet":
        return self.filter(unit_id__in=scope.unit_ids(actor, "view"))

    def of_executions(self, ids: Iterable[UUID]) -> "LedgerEntryQuerySet":
        return self.filter(execution_id__in=ids)


class CostBasis(models.TextChoices):
    """Where an amount comes from. Unknown is a state of its own: it is never shown or summed as zero."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class LedgerEntry(models.Model):
    """One cost line. Never edited: a correction is a new entry. Sums are queries, never columns somebody adds to."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    unit_id = models.UUIDField()
    execution_id = models.UUIDField(null=True)
    action_id = models.UUIDField(null=True)
    agent = models.TextField(default="")
    tool = models.TextField(default="")
    model = models.TextField(default="")
    amount = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    currency = models.CharField(max_length=3, default="")
    basis = models.CharField(max_length=10, choices=CostBasis.choices)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    at = models.DateTimeField(db_default=Now())

    objects: Any = LedgerEntryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="unknown_cost_has_no_amount",
                condition=models.Q(basis=CostBasis.UNKNOWN, amount__isnull=True)
                | (~models.Q(basis=CostBasis.UNKNOWN) & models.Q(amount__isnull=False) & ~models.Q(currency="")),
            ),
        ]
        indexes = [
            models.Index(name="ledger_execution", fields=["execution_id"]),
            models.Index(name="ledger_unit_at", fields=["unit_id", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.amount if self.amount is not None else 'unknown'} {self.currency}".strip()
