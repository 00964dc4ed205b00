"""What executions cost by what became of them. Made from the ledger and the trail, never by hand."""

from django.db import models


class OutcomeColumns(models.Model):
    """A bucket of a workflow: how many executions ended so, what was spent, and of how many lines nobody knows the cost.

    Executions are counted beside the empty currency. The day is the one on which the execution was asked for.
    """

    unit_id = models.UUIDField()
    day = models.DateField()
    workflow = models.TextField()
    bucket = models.TextField()
    currency = models.TextField()
    executions = models.BigIntegerField()
    amount = models.DecimalField(max_digits=30, decimal_places=10)
    unknown = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.workflow} {self.bucket} {self.amount} {self.currency}".strip()


class RunCost(OutcomeColumns):
    """Of one execution, as it was counted: what is taken out of the sums again when it changes."""

    pk = models.CompositePrimaryKey("execution_id", "bucket", "currency")
    execution_id = models.UUIDField()


class OutcomeRollup(OutcomeColumns):
    """Of all executions of a unit that were asked for on one day."""

    pk = models.CompositePrimaryKey("unit_id", "day", "workflow", "bucket", "currency")
