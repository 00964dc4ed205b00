"""What one execution has cost, whatever became of it. Made from the ledger, never by hand."""

from typing import Any

from django.db import models

MEASURES = ("calls", "missing", "input_tokens", "output_tokens")


class RunTotal(models.Model):
    """Of one execution in one currency, paid by one unit; without an execution: of all that a unit paid for none.

    Callers name executions of their own, too: then there is no such row of ours, and no day, which is the one that the
    execution was asked for on. `cost` is empty where nobody knows any, and `missing` says of how many calls. `shared`: several
    units paid for it, or another one than its own.
    """

    execution_id = models.UUIDField(null=True)
    unit_id = models.UUIDField()
    currency = models.TextField()
    day = models.DateField(null=True)
    shared = models.BooleanField()
    cost = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    calls = models.BigIntegerField()
    missing = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()

    objects: Any = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_total_per_execution_unit_and_currency",
                fields=["execution_id", "unit_id", "currency"],
                nulls_distinct=False,
            )
        ]
        indexes = [
            # Traces that cost at least so much, the newest days first.
            models.Index(name="run_total_cost", fields=["day", "cost"]),
            # The dearest of a unit.
            models.Index(
                models.F("unit_id"),
                models.F("cost").desc(nulls_last=True),
                models.F("execution_id"),
                name="run_total_dearest",
            ),
            models.Index(name="run_total_shared", fields=["execution_id"], condition=models.Q(shared=True)),
        ]

    def __str__(self) -> str:
        return f"{self.cost if self.cost is not None else 'unknown'} {self.currency}".strip()
