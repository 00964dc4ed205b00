"""Business units in the admin: the wall between tenants, drafted by one administrator and activated by another."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest

from audit import scope
from audit.actors import Actor
from audit.admin import DefinitionAdmin
from audit.definitions import DefinitionStatus
from audit.web import actor_of
from budgets.models import Block, Budget, BudgetException, BusinessUnit, Measure, Price, PriceKind
from budgets.models.prices import RATES
from budgets.money import is_currency
from budgets.queries import blocks
from budgets.units import lineages

# The rates a kind of price needs, and those it may have.
RATES_OF: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    PriceKind.MODEL: (("input", "output"), ("input", "output", "cached_input", "cache_write", "batch_percent")),
    PriceKind.TOOL: (("per_call",), ("per_call",)),
    PriceKind.REVIEW: (("per_hour",), ("per_hour",)),
}


@admin.register(BusinessUnit)
class BusinessUnitAdmin(DefinitionAdmin):
    list_display = ["title", "name", "state", "parent", "owner", "currency"]
    fields = ["name", "title", "parent", "owner", "currency", "time_zone"]
    search_fields = ["name", "title"]
    in_words: ClassVar[dict[str, str]] = {"owner": "owned_by"}
    versioned = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[BusinessUnit]:
        rows: QuerySet[BusinessUnit] = super().get_queryset(request)
        return rows.filter(pk__in=_within_reach(actor_of(request)))

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> Any:
        """A unit stands below one that the administrator sees: whoever has a role there would find it among their own."""
        if db_field.name != "parent":
            return super().get_field_queryset(db, db_field, request)
        return self.get_queryset(request).exclude(status=DefinitionStatus.RETIRED).order_by("title")


def _within_reach(actor: Actor) -> set[UUID]:
    """Units they see, drafts below them included; and drafts that stand below drafts only: nobody has a role there yet."""
    drafts = set(BusinessUnit.objects.filter(status=DefinitionStatus.DRAFT).values_list("pk", flat=True))
    return {*scope.unit_ids(actor, "view"), *(pk for pk, line in lineages(drafts).items() if drafts.issuperset(line))}


EVERY_UNIT = "Every business unit"
NO_CURRENCY = "Write the ISO 4217 code: EUR."
NOT_EVERY_UNIT = "Choose a business unit. What holds in every unit is configured by administrators who see every one."


class UnitChoiceField(forms.TypedChoiceField):
    """A unit by its id, among those the administrator sees."""

    def __init__(self, *, seen: Any, **kwargs: Any) -> None:
        options = [(str(unit.pk), unit.title) for unit in BusinessUnit.objects.filter(pk__in=seen).order_by("title")]
        if not kwargs.get("required", True):
            options.insert(0, ("", EVERY_UNIT))
        super().__init__(choices=options, coerce=lambda value: value, empty_value=None, **kwargs)


def unit_or_all(actor: Actor) -> UnitChoiceField:
    """One of the units they see, or all of them for whoever sees all of them."""
    return UnitChoiceField(
        seen=scope.unit_ids(actor, "view"),
        label="Business unit",
        required=not scope.sees_every_unit(actor),
        error_messages={"required": NOT_EVERY_UNIT},
    )


class InUnitAdmin(DefinitionAdmin):
    """Definitions that belong to a unit by id."""

    in_words: ClassVar[dict[str, str]] = {"unit_id": "unit"}

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "unit_id":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return self.unit_field(actor_of(request))

    def unit_field(self, actor: Actor) -> UnitChoiceField:
        return UnitChoiceField(seen=scope.unit_ids(actor, "view"), label="Business unit")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the title of each row's unit: a list asks for it row by row."""
        title = BusinessUnit.objects.filter(pk=OuterRef("unit_id")).values("title")
        rows: QuerySet[Any] = super().get_queryset(request).annotate(in_unit=Subquery(title))
        return rows

    @admin.display(description="Unit")
    def unit(self, row: Any) -> str:
        return EVERY_UNIT if row.unit_id is None else row.in_unit or "?"

    def readable(self, content: dict[str, Any]) -> dict[str, Any]:
        told = super().readable(content)
        unit = told.pop("unit_id", None)
        title = BusinessUnit.objects.filter(pk=unit).values_list("title", flat=True).first() if unit else EVERY_UNIT
        return {**told, "unit": title or unit}


class OptionalUnitAdmin(InUnitAdmin):
    """Definitions of one unit or of all: an administrator sees those of their units and those that cover every one.

    The latter are changed by administrators who see every unit.
    """

    def unit_field(self, actor: Actor) -> UnitChoiceField:
        return unit_or_all(actor)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = scope.unit_ids(actor_of(request), "view")
        return super().get_queryset(request).filter(Q(unit_id=None) | Q(unit_id__in=seen))


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Each kind of price has rates of its own."""

    class Meta:
        model = Price
        fields = [
            "name", "kind", "subject", "provider", "unit_id", "currency", *RATES, "valid_from", "valid_until",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """The rates of the kind are there, no others, and the time makes sense."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not data.get("kind"):
            return data
        kind = PriceKind(data["kind"])
        needed, possible = RATES_OF[kind]
        for name in RATES:
            given = data.get(name) is not None
            if name in needed and not given and name not in self.errors:
                self.add_error(name, f"A price of this kind needs it: {kind.label}.")
            elif given and name not in possible:
                self.add_error(name, f"This rate means nothing here: {kind.label}. Leave it empty.")
        if (kind == PriceKind.REVIEW) == bool(data.get("subject")):
            words = (
                "Reviewers' time has no name." if data.get("subject") else "Whose price is it? Name the model or tool."
            )
            self.add_error("subject", words)
        if data.get("valid_until") and data.get("valid_from") and data["valid_until"] <= data["valid_from"]:
            self.add_error("valid_until", "It ends before it begins.")
        return data

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"]
        if not is_currency(currency):
            raise forms.ValidationError(NO_CURRENCY)
        return currency


@admin.register(Price)
class PriceAdmin(OptionalUnitAdmin):
    form = PriceForm
    list_display = [
        "name",
        "version",
        "state",
        "kind",
        "subject",
        "provider",
        "unit",
        "currency",
        "valid_from",
        "valid_until",
    ]
    list_filter: ClassVar[Any] = ["status", "kind"]
    fields = (*PriceForm.Meta.fields,)
    readonly_fields = ["version"]
    search_fields = ["name", "subject"]


class BudgetForm(forms.ModelForm):  # type: ignore[type-arg]
    """Money has a currency; tokens and runs have none."""

    class Meta:
        model = Budget
        fields = [
            "name", "unit_id", "workflow", "agent", "requester", "release", "measure", "currency", "limit", "window",
            "thresholds", "is_hard", "assumed", "why",
        ]  # fmt: skip

    def clean_release(self) -> str:
        """A digest, whole: of a part of one nobody would notice that it covers nothing."""
        release: str = self.cleaned_data["release"].strip().lower()
        if release and not (len(release) == 64 and set(release) <= set("0123456789abcdef")):
            raise forms.ValidationError("Copy the whole digest, 64 characters, from the page of an execution.")
        return release

    def clean(self) -> dict[str, Any]:
        """A currency exactly where there is money, written as ISO 4217 does."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        currency = data.get("currency") or ""
        if data.get("measure") == Measure.MONEY:
            if not is_currency(currency):
                self.add_error("currency", NO_CURRENCY)
        elif currency:
            self.add_error("currency", "Only money has a currency. Leave it empty.")
        return data


@admin.register(Budget)
class BudgetAdmin(OptionalUnitAdmin):
    """A higher limit is a new version: one administrator drafts it, another activates it."""

    form = BudgetForm
    list_display = ["name", "version", "state", "unit", "workflow", "agent", "measure", "currency", "limit", "window"]
    list_filter: ClassVar[Any] = ["status", "measure"]
    fields = (*BudgetForm.Meta.fields,)
    readonly_fields = ["version"]
    search_fields = ["name", "workflow", "agent", "release"]


class ExceptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """One execution that waits, and the budget it waits for."""

    class Meta:
        model = BudgetException
        fields = ["name", "budget", "execution_id", "why"]

    def clean(self) -> dict[str, Any]:
        """The one waits for the other. Whoever may configure the budget there activates it."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        name, execution_id = data.get("budget"), data.get("execution_id")
        if name and execution_id:
            waits = (
                Block.objects.filter(execution_id=execution_id, window__budget=name).select_related("window").first()
            )
            if waits is None:
                self.add_error("execution_id", "It does not wait for this budget.")
            else:
                self.instance.unit_id = waits.window.unit_id
        return data


@admin.register(BudgetException)
class BudgetExceptionAdmin(OptionalUnitAdmin):
    """Gated like a higher limit: one administrator drafts it, another activates it. It is for one execution only."""

    form = ExceptionForm
    versioned = False
    list_display = ["name", "state", "unit", "budget", "execution_id", "why"]
    fields = (*ExceptionForm.Meta.fields,)
    search_fields = ["name", "budget"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name not in ("budget", "execution_id"):
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        actor = actor_of(request)
        everywhere = scope.sees_every_unit(actor)
        waiting = [one for one in blocks(actor) if everywhere or one.window.unit_id is not None]
        names = {one.window.budget if db_field.name == "budget" else str(one.execution_id) for one in waiting}
        label = "Budget" if db_field.name == "budget" else "Execution"
        return forms.ChoiceField(label=label, choices=[(name, name) for name in sorted(names)])
