"""Tools, agents and service tokens in the admin. Runtime records are not here: the console's own pages show them."""

from typing import Any, ClassVar

from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest

from approvals.models import Stop
from audit import scope
from audit.admin import DefinitionAdmin, ReadOnlyAdmin
from audit.definitions import DefinitionStatus
from audit.web import actor_of
from budgets.admin import InUnitAdmin, OptionalUnitAdmin
from budgets.models import BusinessUnit
from orchestrator.models import Agent, Figure, Limit, ServiceLevel, ServiceToken, Tool
from orchestrator.operations import registry
from orchestrator.queries.stops import engaged
from orchestrator.releases.bundle import resting_on

# What its own pages would add runs any function by its name, and what they delete leaves no trace.
admin.site.unregister(
    [model for model in apps.get_app_config("django_q").get_models() if admin.site.is_registered(model)]
)


class Stoppable:
    """Beside the state of a definition stands what is stopped of it, in units the administrator sees."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        named = {rows.model._meta.model_name: OuterRef("name")}
        stops = Stop.objects.filter(pk__in=[stop.pk for stop in engaged(actor_of(request))], **named)
        annotated: QuerySet[Any] = rows.annotate(stopped_in=ArraySubquery(stops.values("unit_title")))
        return annotated

    @admin.display(description="Stopped")
    def stopped(self, row: Any) -> str:
        # Nothing where nothing at all is stopped: then the database is not even asked.
        places = row.stopped_in or []
        return "; ".join(f"in {title} and below" if title else "everywhere" for title in places) or "no"


class ContractForm(forms.ModelForm):  # type: ignore[type-arg]
    """What an import of it would be refused with is refused here, at its field."""

    def faults(self, given: dict[str, Any]) -> list[tuple[str, str, str]]:
        return registry.faults_of_tool(given)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        for name in [name for name, value in data.items() if value is None]:
            # An emptied box says what a file says that leaves the field out.
            data[name] = self._meta.model._meta.get_field(name).get_default()
        if not self.errors:
            for place, message, remedy in self.faults({**data}):
                field = {"unit": "unit_id"}.get(place, place.partition(".")[0])
                where = "" if place in {field, "unit"} else f"{place}: "
                self.add_error(field if field in self.fields else None, f"{where}{message.rstrip('.')}. {remedy}")
        return data


class AgentForm(ContractForm):
    """Of an agent, whose owner and unit an import finds by their names."""

    def faults(self, given: dict[str, Any]) -> list[tuple[str, str, str]]:
        unit = BusinessUnit.objects.filter(pk=given.pop("unit_id")).first()
        named = {"owner": given["owner"].get_username(), "unit": unit.name if unit else ""}
        return registry.faults_of_agent({**given, **named})


@admin.register(Tool)
class ToolAdmin(Stoppable, DefinitionAdmin):
    form = ContractForm
    who_and_when = (*DefinitionAdmin.who_and_when, "stopped")
    list_display = ["name", "version", "state", "stopped", "effect", "idempotency_class", "tier", "owner"]
    list_filter = ["status", "effect", "tier"]
    search_fields = ["name", "description"]
    fieldsets = [
        (None, {"fields": ["name", "version", "title", "description", "owner", "runbook"]}),
        ("Risk", {"fields": ["effect", "tier", "idempotency_class", "compensate_with", "scopes", "egress"]}),
        ("Code", {"fields": ["entry", "probe", "record", "business_key"]}),
        ("Contract", {"fields": ["input_schema", "output_schema"]}),
    ]

    def what_rests_on(self, row: Any) -> str:
        workflows = resting_on(tool=row.name)
        if row.status == DefinitionStatus.DRAFT:
            return _replaced(workflows)
        return _rests(workflows, "publish them with another tool, or with a new version of this one")

    def next_version(self, row: Tool) -> str:
        """The last number of the version, counted up until it is free. A commit's hash fills the column already."""
        taken = set(Tool.objects.filter(name=row.name).values_list("version", flat=True))
        head, _, last = row.version.rpartition(".")
        number = int(last) if last.isdecimal() else 0
        stem = f"{head}." if head else "" if last.isdecimal() else f"{row.version}."
        room = Tool._meta.get_field("version").max_length or 0
        while (version := f"{stem[: room - len(str(number))]}{number}") in taken:
            number += 1
        return version


@admin.register(Agent)
class AgentAdmin(Stoppable, InUnitAdmin):
    form = AgentForm
    who_and_when = (*DefinitionAdmin.who_and_when, "stopped")
    list_display = ["name", "version", "state", "stopped", "unit", "owner", "last_used_at"]
    search_fields = ["name", "description"]
    in_words: ClassVar[dict[str, str]] = {**InUnitAdmin.in_words, "owner": "owned_by"}
    readonly_fields = ["version", "last_used_at"]
    fieldsets = [
        (None, {"fields": ["name", "version", "description", "unit_id", "owner", "support", "runbook"]}),
        ("What it may do", {"fields": ["allowed_tools", "egress", "data_classification"]}),
        ("Code", {"fields": ["entry", "input_schema", "output_schema"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(unit_id__in=scope.unit_ids(actor_of(request), "view"))

    def what_rests_on(self, row: Any) -> str:
        # A new version goes on where the one before stood: calls are asked whether the agent of this name may make them.
        if row.status == DefinitionStatus.DRAFT:
            return ""
        return _rests(resting_on(agent=row.name), "publish them with another agent")


def _rests(workflows: list[str], first: str) -> str:
    return f"{_resting(workflows)} on it. Retired, it makes no call there any more: {first} first." if workflows else ""


def _replaced(workflows: list[str]) -> str:
    follows = (
        "Activated, this one is in force and not theirs: their calls are refused until they are published again, and "
        "executions under way that still have to make one fail."
    )
    return f"{_resting(workflows)} on another version. {follows}" if workflows else ""


def _resting(workflows: list[str]) -> str:
    return f"In production, {', '.join(workflows)} {'rests' if len(workflows) == 1 else 'rest'}"


@admin.register(ServiceToken)
class ServiceTokenAdmin(ReadOnlyAdmin):
    """Read only: a token is issued by `manage.py token`, which shows its secret once."""

    list_display = ["prefix", "agent", "scopes", "created_at", "expires_at", "revoked_at"]
    search_fields = ["prefix", "agent"]
    exclude = ["secret_hash"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceToken]:
        return super().get_queryset(request).filter(unit_id__in=scope.unit_ids(actor_of(request), "view"))


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is covered, and how much of it may go out."""

    class Meta:
        model = Limit
        fields = [
            "name", "unit_id", "agent", "tool", "per_minute", "at_once", "breaks_after", "break_seconds", "most_queued", "why",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """It limits something, and a queue is a unit's."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if not any(data.get(name) for name in ("per_minute", "at_once", "breaks_after", "most_queued")):
            self.add_error("per_minute", "Give at least one limit: per minute, at once, failures in a row, or queued.")
        if data.get("most_queued") and (data.get("agent") or data.get("tool")):
            self.add_error("most_queued", "Executions queue per unit: leave agent and tool empty, or this.")
        return data


@admin.register(Limit)
class LimitAdmin(OptionalUnitAdmin):
    form = LimitForm
    list_display = ["name", "version", "state", "unit", "agent", "tool", "allows"]
    fields = (*LimitForm.Meta.fields,)
    readonly_fields = ["version"]
    search_fields = ["name", "tool", "agent"]


class ServiceLevelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A range of one figure."""

    class Meta:
        model = ServiceLevel
        fields = ["name", "unit_id", "workflow", "figure", "low", "high", "why"]

    def clean(self) -> dict[str, Any]:
        """It ends above where it begins, and a rate is at most a hundred per cent."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        low, high = data.get("low"), data.get("high")
        if low is None or high is None:
            return data
        if low > high:
            self.add_error("high", "It ends below where it begins.")
        elif data.get("figure") == Figure.SUCCESS and high != 100:
            self.add_error("high", "No success rate is too high: write 100.")
        return data


@admin.register(ServiceLevel)
class ServiceLevelAdmin(OptionalUnitAdmin):
    """One administrator drafts a range, another activates it."""

    form = ServiceLevelForm
    list_display = ["name", "version", "state", "unit", "workflow", "figure", "low", "high"]
    list_filter = ["status", "figure"]
    fields = (*ServiceLevelForm.Meta.fields,)
    readonly_fields = ["version"]
    search_fields = ["name", "workflow"]
