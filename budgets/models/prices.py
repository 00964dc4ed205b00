"""Contract prices: what this organisation pays, dated, drafted by one person, activated by another, never edited after."""

from typing import Any, ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q

from audit.definitions import Definition, DefinitionStatus, definition_lifecycle
from audit.lifecycle import Lifecycle, database_now
from audit.refusals import Refusal

PRICE = definition_lifecycle("price")
RATES = ("input", "cached_input", "cache_write", "output", "batch_percent", "per_call", "per_hour")


class PriceKind(models.TextChoices):
    MODEL = "model", "Model, per million tokens"
    TOOL = "tool", "Tool, per call"
    REVIEW = "review", "Reviewers' time, per hour"


def _rate(help_text: str) -> Any:
    return models.DecimalField(
        max_digits=20, decimal_places=10, null=True, blank=True, help_text=help_text, validators=[MinValueValidator(0)]
    )


class Price(Definition):
    """One price. What it priced keeps the rates it was priced with, whatever becomes of it."""

    lifecycle: ClassVar[Lifecycle] = PRICE
    # Without it, what it priced would cost nothing that a budget knows of.
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80, help_text="Short name of this price: gpt-4-1-frame-2026")
    version = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=10, choices=PriceKind.choices, default=PriceKind.MODEL)
    subject = models.CharField(
        max_length=200, blank=True, help_text="The model's or tool's name as calls report it. Empty for reviewers' time"
    )
    provider = models.CharField(max_length=100, blank=True, help_text="As calls report it. Empty means whichever")
    unit_id = models.UUIDField(null=True, blank=True, help_text="Empty means every business unit")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code")
    input = _rate("Per million input tokens")
    cached_input = _rate("Per million input tokens read from a cache. Empty: like input")
    cache_write = _rate("Per million input tokens written to a cache. Empty: like input")
    output = _rate("Per million output tokens, reasoning included")
    batch_percent = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Of these rates, for batch calls")
    per_call = _rate("Per call of a tool")
    per_hour = _rate("Per hour of a reviewer's time")
    valid_from = models.DateTimeField(help_text="What was used before is priced otherwise")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty means until a later price begins")

    objects: Any = models.Manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_price_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(
                name="price_ends_after_it_begins",
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
            ),
            models.CheckConstraint(
                name="price_has_the_rates_of_its_kind",
                condition=Q(kind=PriceKind.MODEL, input__isnull=False, output__isnull=False) & ~Q(subject="")
                | Q(kind=PriceKind.TOOL, per_call__isnull=False) & ~Q(subject="")
                | Q(kind=PriceKind.REVIEW, per_hour__isnull=False, subject=""),
            ),
        ]
        indexes = [
            models.Index(name="price_in_force", fields=["kind", "subject"], condition=Q(status=DefinitionStatus.ACTIVE))
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def came_into_force(self) -> None:
        """The version before ends at once. Raises Refusal where it holds now and this one does not yet: nothing would."""
        now = database_now()
        before = Price.objects.filter(name=self.name).exclude(activated_at=None).exclude(pk=self.pk)
        for old in before.order_by("-version")[:1]:
            if self.valid_from > now and old.valid_from <= now and (old.valid_until is None or old.valid_until > now):
                raise Refusal(
                    f"{old} would end at once, and until {self.valid_from:%Y-%m-%d %H:%M} UTC no price would be known.",
                    remedy=f"Draft it under another name: {old} counts until the later one begins.",
                    code="begins_later",
                )

    @property
    def rates(self) -> dict[str, Any]:
        """Every rate that was set."""
        return {name: value for name in RATES if (value := getattr(self, name)) is not None}
