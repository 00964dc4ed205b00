"""The ledger: what was used, what it cost, and how that was worked out. Append-only, in the database, too."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from audit.ids import new_id
from audit.scope import OfUnits


class LedgerEntryQuerySet(OfUnits["LedgerEntry"]):
    def with_corrections(self) -> "LedgerEntryQuerySet":
        """Each line knows whether another one corrects it: an unknown cost that was corrected is known."""
        return self.annotate(is_corrected=Exists(LedgerEntry.objects.filter(corrects=OuterRef("pk"))))

    def of_executions(self, ids: Iterable[UUID]) -> "LedgerEntryQuerySet":
        return self.filter(execution_id__in=ids)


class CostBasis(models.TextChoices):
    """Where an amount comes from. Unknown is a state of its own: it is never shown or summed as zero."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class LineKind(models.TextChoices):
    """What a line pays for."""

    MODEL = "model", "Model call"
    TOOL = "tool", "Tool call"
    REVIEW = "review", "Reviewer's time"
    CORRECTION = "correction", "Correction of another line"


class LedgerEntry(models.Model):
    """One cost line. Never edited: a correction is a new entry. Sums are queries, never columns somebody adds to."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(
        max_length=10, choices=LineKind.choices, default=LineKind.MODEL, db_default=LineKind.MODEL.value
    )
    unit_id = models.UUIDField()
    execution_id = models.UUIDField(null=True)
    action_id = models.UUIDField(null=True)
    # The part of the trace that was paid for. Empty: the action's own, or the execution's.
    span_id = models.UUIDField(null=True)
    agent = models.TextField(default="")
    tool = models.TextField(default="")
    provider = models.TextField(default="", db_default="")
    model = models.TextField(default="")
    amount = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    currency = models.CharField(max_length=3, default="")
    basis = models.CharField(max_length=10, choices=CostBasis.choices)
    # All input, what was read from and written to a cache included; all output, reasoning included.
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    # Parts of the above. Empty: nobody said.
    cached_input_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    is_batch = models.BooleanField(default=False, db_default=False)
    # How a model was called, as far as its caller said: prompt with the digest that the release holds, settings, corpus, the
    # request's digest, outcome. Never the texts themselves.
    call = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    # Of a review.
    seconds = models.PositiveIntegerField(null=True)
    # How an estimate was worked out: each rate as text, whose price it is, and what it does not know.
    rates = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    priced_by = models.TextField(default="", db_default="")
    why = models.TextField(default="", db_default="")
    corrects = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="corrections", db_index=False
    )
    at = models.DateTimeField(db_default=Now())

    objects: Any = LedgerEntryQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="unknown_cost_has_no_amount",
                condition=Q(basis=CostBasis.UNKNOWN, amount__isnull=True)
                | (~Q(basis=CostBasis.UNKNOWN) & Q(amount__isnull=False) & ~Q(currency="")),
            ),
            models.CheckConstraint(
                name="only_a_correction_corrects_and_says_why",
                condition=Q(kind=LineKind.CORRECTION, corrects__isnull=False) & ~Q(why="")
                | ~Q(kind=LineKind.CORRECTION) & Q(corrects__isnull=True),
            ),
            models.CheckConstraint(
                name="parts_of_the_input_are_not_more_than_the_input",
                condition=Q(input_tokens__gte=F("cached_input_tokens")) | Q(cached_input_tokens__isnull=True),
            ),
            models.CheckConstraint(
                name="estimated_cost_says_by_which_rates",
                condition=~Q(basis=CostBasis.ESTIMATED) | ~Q(priced_by=""),
            ),
            # Tokens and money stand on the same line. Its corrections name the span, too.
            models.UniqueConstraint(
                name="one_cost_line_of_a_kind_per_span",
                fields=["span_id", "kind"],
                condition=Q(span_id__isnull=False) & ~Q(kind=LineKind.CORRECTION),
            ),
        ]
        indexes = [
            models.Index(name="ledger_execution", fields=["execution_id"]),
            # What a foreign agent's call cost, and what a reported span cost.
            models.Index(
                name="ledger_action",
                fields=["action_id"],
                condition=Q(execution_id__isnull=True, action_id__isnull=False),
            ),
            models.Index(name="ledger_span", fields=["span_id"], condition=Q(span_id__isnull=False)),
            models.Index(name="ledger_unit_at", fields=["unit_id", "at"]),
            # For a page of the lines of many units.
            models.Index(name="ledger_at", fields=["at", "id"]),
            models.Index(name="ledger_corrections", fields=["corrects"], condition=Q(corrects__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.amount if self.amount is not None else 'unknown'} {self.currency}".strip()
