"""Approval policies in the admin. A condition that does not compile is refused with its line and column."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from approvals import vocabulary
from approvals.models import ApprovalPolicy, Bypass
from audit import scope
from audit.conditions import BadCondition
from audit.web import actor_of
from budgets.admin import InUnitAdmin

FIELDS = [
    "name", "unit_id", "tool", "condition", "verdict", "required", "reason", "decide_within_seconds", "use_within_seconds",
    "on_timeout",
]  # fmt: skip


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """One rule."""

    class Meta:
        model = ApprovalPolicy
        fields = FIELDS
        widgets = {"condition": forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})}

    def clean(self) -> dict[str, Any]:
        """The condition has to make sense for the tool it is about."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("condition"):
            try:
                vocabulary.check(data["condition"], tool=data.get("tool", "*"))
            except BadCondition as error:
                self.add_error("condition", str(error))
        return data


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(InUnitAdmin):
    form = PolicyForm
    unit_is_required = False
    list_display = ["name", "version", "state", "tool", "unit", "verdict", "required", "reason"]
    fields = (*FIELDS,)
    readonly_fields = ["version"]
    search_fields = ["name", "tool", "reason"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = scope.unit_ids(actor_of(request), "view")
        return super().get_queryset(request).filter(Q(unit_id=None) | Q(unit_id__in=seen))


@admin.register(Bypass)
class BypassAdmin(InUnitAdmin):
    """Drafting is proposing, activating is agreeing, and the second person is never the first."""

    unit_is_required = False
    versioned = False
    list_display = ["name", "state", "tool", "agent", "unit", "tier", "ends"]
    fields = ("name", "tool", "agent", "unit_id", "tier", "minutes", "reason")
    who_and_when = (*InUnitAdmin.who_and_when, "ends")
    search_fields = ["name", "tool", "agent", "reason"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        seen = scope.unit_ids(actor_of(request), "view")
        return super().get_queryset(request).filter(Q(unit_id=None) | Q(unit_id__in=seen))

    @admin.display(description="Ends")
    def ends(self, row: Bypass) -> Any:
        return row.ends_at or "when it is activated, its time begins"
