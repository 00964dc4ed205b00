"""A held execution that two people let go on over a budget, once."""

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from audit.definitions import Definition, DefinitionStatus, definition_lifecycle
from audit.lifecycle import Lifecycle
from audit.refusals import Refusal
from budgets.models.limits import Block

BUDGET_EXCEPTION = definition_lifecycle("budget exception")


class BudgetException(Definition):
    """In force, nothing of this execution is reserved in this budget. What it uses counts as spent, past the limit too."""

    lifecycle: ClassVar[Lifecycle] = BUDGET_EXCEPTION
    name = models.SlugField(max_length=80, unique=True, help_text="Short name of this exception: october-closing")
    # Of the budget: who may configure it there may draft and activate this.
    unit_id = models.UUIDField(null=True, editable=False)
    budget = models.CharField(max_length=80)
    execution_id = models.UUIDField("execution")
    why = models.CharField("reason", max_length=300, help_text="Kept in the audit trail")

    objects: Any = models.Manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.CheckConstraint(name="budget_exception_says_why", condition=~Q(why="")),
        ]
        indexes = [
            models.Index(
                name="exception_in_force", fields=["execution_id"], condition=Q(status=DefinitionStatus.ACTIVE)
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def stream_unit(self) -> UUID | None:
        return self.unit_id

    def came_into_force(self) -> None:
        """It is for what waits. Raises Refusal where nothing of the execution waits for this budget."""
        if not Block.objects.filter(execution_id=self.execution_id, window__budget=self.budget).exists():
            raise Refusal(
                "Nothing of this execution waits for this budget any more.",
                remedy="Leave the draft, or draft one for an execution that waits.",
                code="nothing_waits",
            )
