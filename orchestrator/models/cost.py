"""Roll-ups of the ledger: what a day cost a unit, by everything the composer knows. Made from the ledger, never by hand."""

from typing import Any

from django.db import models

from audit.scope import OfUnits

# What a sum can be grouped by; the day and the unit beside it. Text, and empty where nobody said.
KEPT = ("workflow", "release", "requester", "agent", "provider", "model", "tool", "kind", "currency", "basis")
MEASURES = (
    "amount", "lines", "unknown", "estimated",
    "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "seconds",
)  # fmt: skip


class CostColumns(models.Model):
    """One bucket: its key, and the sums of the lines in it. `unknown` counts lines whose cost nobody knows yet."""

    day = models.DateField()
    unit_id = models.UUIDField()
    workflow = models.TextField()
    release = models.TextField()
    requester = models.TextField()
    agent = models.TextField()
    provider = models.TextField()
    model = models.TextField()
    tool = models.TextField()
    kind = models.TextField()
    currency = models.TextField()
    basis = models.TextField()
    amount = models.DecimalField(max_digits=30, decimal_places=10)
    lines = models.BigIntegerField()
    unknown = models.BigIntegerField()
    estimated = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    cached_input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    seconds = models.BigIntegerField()

    objects: Any = OfUnits.as_manager()

    class Meta:
        abstract = True


class CostRollup(CostColumns):
    """What is folded. `key` is a digest of the bucket's key: its parts together may be longer than an index takes."""

    key = models.CharField(primary_key=True, max_length=64)

    class Meta:
        indexes = [models.Index(name="cost_rollup_unit_day", fields=["unit_id", "day"])]

    def __str__(self) -> str:
        return f"{self.day} {self.amount} {self.currency}".strip()


class CostFold(models.Model):
    """How far the ledger is folded: every transaction before this one. One row; whoever folds locks it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # A transaction id counts to 2^64 and PostgreSQL's bigint to 2^63: 300 years at a billion a second.
    before = models.BigIntegerField(default=0)
    # The same of what executions cost by outcome. 0: not made yet, and read from the ledger until `rebuild_rollups` has run.
    runs_before = models.BigIntegerField(default=0, db_default=0)
    # And of service levels, and of what single executions cost; likewise.
    levels_before = models.BigIntegerField(default=0, db_default=0)
    totals_before = models.BigIntegerField(default=0, db_default=0)
    at = models.DateTimeField(null=True)
    # The system identifier of the PostgreSQL server whose transactions these are. Empty: not seen yet.
    server = models.TextField(default="", db_default="")

    class Meta:
        constraints = [models.CheckConstraint(name="one_row_says_how_far_costs_are_folded", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"every transaction before {self.before}"

    @classmethod
    def follows_executions(cls) -> bool:
        """Whether `rebuild_rollups` has run since an upgrade. Until then pages read stored rows: right, and slow."""
        return cls.objects.filter(runs_before__gt=0, levels_before__gt=0, totals_before__gt=0).exists()


class Cost(CostColumns):
    """A view: what is folded, and what the ledger says since. So a sum is exact whenever the sweep last ran."""

    key = models.CharField(primary_key=True, max_length=64)

    class Meta:
        managed = False
        db_table = "orchestrator_cost"

    def __str__(self) -> str:
        return f"{self.day} {self.amount} {self.currency}".strip()
