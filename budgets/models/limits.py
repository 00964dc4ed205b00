"""Budgets: what a place may use in a calendar window, drafted by one person and activated by another; and where it stands."""

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, Q, Value
from django.db.models.functions import Cast, Floor, Greatest, Least, Now

from audit.definitions import Definition, definition_lifecycle
from audit.ids import new_id
from audit.lifecycle import Lifecycle
from audit.refusals import Refusal
from audit.scope import OfUnits

BUDGET = definition_lifecycle("budget")
# What a window has counted makes no sense under another of these.
FOR_GOOD = ("unit_id", "workflow", "agent", "requester", "release", "measure", "currency", "window")


class Measure(models.TextChoices):
    MONEY = "money"
    TOKENS = "tokens"
    RUNS = "runs", "Runs: a step started, or a call of a foreign agent sent"


class Period(models.TextChoices):
    DAY = "day"
    WEEK = "week", "Week, from Monday"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALWAYS = "always", "For good: it never begins anew"


def thresholds() -> list[int]:
    return [80, 100]


class Budget(Definition):
    """Covers what all of its unit, workflow, agent, requester and release cover, empty ones covering everything."""

    lifecycle: ClassVar[Lifecycle] = BUDGET
    # Out of force it lets more through than before.
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80, help_text="Short name of this budget: nordics-models")
    version = models.PositiveIntegerField(default=1)
    unit_id = models.UUIDField(
        null=True, blank=True, help_text="With everything below it. Empty means every unit, together"
    )
    workflow = models.CharField(max_length=200, blank=True, help_text="Empty means every workflow, together")
    agent = models.CharField(max_length=200, blank=True, help_text="Empty means every agent, together")
    requester = models.CharField(
        max_length=200, blank=True, help_text="As the audit trail writes it, user:7. Empty means everybody, together"
    )
    release = models.CharField(
        "release", max_length=64, blank=True, default="", db_default="",
        help_text="The digest, as the page of an execution shows it. Empty means every release, together",
    )  # fmt: skip
    measure = models.CharField(max_length=10, choices=Measure.choices, default=Measure.MONEY)
    currency = models.CharField(max_length=3, blank=True, help_text="ISO 4217 code, for money only")
    limit = models.DecimalField(
        max_digits=30, decimal_places=10, validators=[MinValueValidator(Decimal("0.0000000001"))],
        help_text="What may be used in one window",
    )  # fmt: skip
    window = models.CharField(max_length=10, choices=Period.choices, default=Period.MONTH)
    thresholds = ArrayField(
        models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(1000)]),
        default=thresholds,
        help_text="Per cent of the limit; somebody is told once when each is reached",
    )
    is_hard = models.BooleanField(
        "Stops at the limit", default=True, help_text="Otherwise it only warns, and nothing waits"
    )
    assumed = models.DecimalField(
        max_digits=30, decimal_places=10, null=True, blank=True, validators=[MinValueValidator(Decimal("0.0000000001"))],
        help_text="What is reserved for a step or call that names no most of its own. Empty: a hundredth of the limit",
    )  # fmt: skip
    why = models.CharField(max_length=300, blank=True, help_text="The reason, as whoever waits for it reads it")

    objects: Any = models.Manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_budget_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(name="budget_has_a_limit_above_nothing", condition=Q(limit__gt=0)),
            models.CheckConstraint(
                name="only_a_budget_of_money_has_a_currency",
                condition=Q(measure=Measure.MONEY) & ~Q(currency="") | ~Q(measure=Measure.MONEY) & Q(currency=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def stream_unit(self) -> UUID | None:
        return self.unit_id

    def came_into_force(self) -> None:
        """A new version goes on counting where the one before stands. Raises Refusal where it counts something else."""
        before = Budget.objects.filter(name=self.name).exclude(activated_at=None).exclude(pk=self.pk)
        for old in before.order_by("-version")[:1]:
            changed = [field for field in FOR_GOOD if getattr(old, field) != getattr(self, field)]
            if changed:
                raise Refusal(
                    f"{old} counts something else: {', '.join(changed).replace('_id', '')} is different.",
                    remedy="Draft it under another name.",
                    code="counts_something_else",
                )
        running = BudgetWindow.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()), budget=self.name)
        # Of a higher limit it warns again, and of a lower one for the first time, where it stands now.
        share = ExpressionWrapper(F("spent") * 100 / Value(self.limit), models.DecimalField())
        reached = Greatest(Value(0), Least(F("told"), Floor(share), output_field=models.DecimalField()))
        running.update(limit=self.limit, is_hard=self.is_hard, told=Cast(reached, models.IntegerField()))


class BudgetWindow(models.Model):
    """One window of a budget: what was spent in it and what is reserved. Written by the functions of the migrations only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    budget = models.CharField(max_length=80)
    unit_id = models.UUIDField(null=True)
    measure = models.CharField(max_length=10, choices=Measure.choices)
    currency = models.CharField(max_length=3)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    limit = models.DecimalField(max_digits=30, decimal_places=10)
    is_hard = models.BooleanField()
    spent = models.DecimalField(max_digits=30, decimal_places=10, default=0)
    reserved = models.DecimalField(max_digits=30, decimal_places=10, default=0)
    # Cost lines that are in no sum: nobody knows what they cost, or it was in another currency.
    unknown = models.PositiveIntegerField(default=0)
    # The highest threshold somebody was told of.
    told = models.PositiveSmallIntegerField(default=0)

    objects: Any = OfUnits.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_window_of_a_budget_at_a_time", fields=["budget", "starts_at"]),
            models.CheckConstraint(name="what_is_reserved_is_never_negative", condition=Q(reserved__gte=0)),
            models.CheckConstraint(
                name="window_ends_after_it_begins", condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget} from {self.starts_at:%Y-%m-%d}"


class BudgetDay(models.Model):
    """What a window spent on one day, in the time zone its windows begin in. A trigger writes it: the days come to the window."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    window = models.ForeignKey(BudgetWindow, on_delete=models.PROTECT, related_name="days", db_index=False)
    day = models.DateField()
    spent = models.DecimalField(max_digits=30, decimal_places=10)

    objects: Any = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_day_of_a_budget_window", fields=["window", "day"])]

    def __str__(self) -> str:
        return f"{self.spent} on {self.day}"


class Reservation(models.Model):
    """What somebody under way may still use of a window. Settled or released, the row is gone."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    window = models.ForeignKey(BudgetWindow, on_delete=models.PROTECT, related_name="reservations", db_index=False)
    # The fence: an attempt of one of our own steps, or the dispatch of a foreign agent.
    holder = models.UUIDField()
    unit_id = models.UUIDField()
    execution_id = models.UUIDField(null=True)
    amount = models.DecimalField(max_digits=30, decimal_places=10)
    at = models.DateTimeField(db_default=Now())

    objects: Any = models.Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_reservation_of_a_holder_per_window", fields=["holder", "window"]),
            models.CheckConstraint(name="reservation_is_not_negative", condition=Q(amount__gte=0)),
        ]
        indexes = [
            models.Index(name="reservation_of_window", fields=["window", "at"]),
            models.Index(name="reservation_at", fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.window_id}"


class BlockQuerySet(models.QuerySet["Block"]):
    def in_turn(self) -> "BlockQuerySet":
        return self.order_by("at", "id")


class Block(models.Model):
    """A step that waits for room in a window. Gone as soon as it asks again."""

    # The step's own id.
    id = models.UUIDField(primary_key=True)
    window = models.ForeignKey(BudgetWindow, on_delete=models.PROTECT, related_name="blocks", db_index=False)
    unit_id = models.UUIDField()
    execution_id = models.UUIDField()
    needed = models.DecimalField(max_digits=30, decimal_places=10)
    at = models.DateTimeField(db_default=Now())

    objects: Any = BlockQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(name="block_of_window", fields=["window", "at"])]

    def __str__(self) -> str:
        return f"waits for {self.needed} of {self.window_id}"
