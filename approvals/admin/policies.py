"""Approval policies in the admin. A condition that does not compile is refused with its line and column."""

from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from approvals import vocabulary
from approvals.admin.fields import ChecksField, NeedsField, write_need
from approvals.admin.trial import trial_page
from approvals.models import ApprovalPolicy, BusinessCalendar, OnTimeout, ReasonCode, ReviewerGroup
from approvals.quorum import Need
from audit.conditions import BadCondition
from audit.refusals import NotVisible
from audit.web import actor_of
from budgets.admin import OptionalUnitAdmin
from budgets.units import lineage

MOST_PEOPLE = 20
TRIAL = "admin:approvals_approvalpolicy_trial"


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """One rule."""

    needs = NeedsField(
        required=False, label="Groups",
        help_text="One line per group, all of them must sign: 1 from finance. Any of several: 2 from finance or risk. "
        "One signature counts for one group.",
    )  # fmt: skip
    checks = ChecksField(
        required=False,
        help_text="One yes/no question a line, such as: Amount matches the invoice? Approving needs a yes to each.",
    )
    reason_codes = forms.MultipleChoiceField(
        required=False, choices=ReasonCode.choices, widget=forms.CheckboxSelectMultiple,
        help_text="The reasons a decision may give. None chosen means all; “other”, with a note, is always left.",
    )  # fmt: skip

    class Meta:
        model = ApprovalPolicy
        fields = [
            "name", "unit_id", "tool", "condition", "verdict", "required", "needs", "checks", "reason_codes", "reason",
            "decide_within_seconds", "calendar", "use_within_seconds", "on_timeout", "escalate_to",
        ]  # fmt: skip
        widgets = {"condition": forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})}

    def clean(self) -> dict[str, Any]:
        """The condition has to make sense for the tool it is about, and every name has to be in force."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("condition"):
            try:
                vocabulary.check(data["condition"], tool=data.get("tool", "*"))
            except BadCondition as error:
                self.add_error("condition", forms.ValidationError([str(problem) for problem in error.problems]))
        unit_id = data.get("unit_id")
        self._check_needs(Need.read(data.get("needs") or []), _in_reach(ReviewerGroup, unit_id))
        self._check_name("calendar", _in_reach(BusinessCalendar, unit_id))
        self._check_name("escalate_to", _in_reach(ReviewerGroup, unit_id))
        self._check_silence(data)
        return data

    def _check_needs(self, needs: tuple[Need, ...], groups: dict[str, Any]) -> None:
        for need in needs:
            for name in need.groups:
                if name not in groups:
                    self.add_error("needs", _unknown("group", name, groups))
            members = {pk for name in need.groups if name in groups for pk in groups[name].member_ids}
            if all(name in groups for name in need.groups) and len(members) < need.count:
                self.add_error("needs", f"“{write_need(need)}” cannot be met: there are {len(members)} members.")
        if sum(need.count for need in needs) > MOST_PEOPLE:
            self.add_error("needs", f"At most {MOST_PEOPLE} people can be asked.")

    def _check_name(self, field: str, known: dict[str, Any]) -> None:
        name = self.cleaned_data.get(field)
        if name and name not in known:
            self.add_error(field, _unknown(field.replace("escalate_to", "group"), name, known))

    def _check_silence(self, data: dict[str, Any]) -> None:
        escalates = data.get("on_timeout") == OnTimeout.ESCALATE
        if escalates and not data.get("escalate_to") and "escalate_to" not in self.errors:
            self.add_error("escalate_to", "Say which group is asked next.")
        if data.get("escalate_to") and not escalates:
            self.add_error(
                "escalate_to", "Only a policy that escalates on time-out asks another group: leave this empty."
            )


def _in_reach(model: Any, unit_id: UUID | str | None) -> dict[str, Any]:
    """What is in force for every unit, for this one, and for those above it."""
    units = lineage(UUID(str(unit_id))) if unit_id else []
    return {row.name: row for row in model.objects.active().filter(Q(unit_id=None) | Q(unit_id__in=units))}


def _unknown(noun: str, name: str, known: dict[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    remedy = f"Did you mean {close[0]}?" if close else f"In force here: {', '.join(sorted(known)) or 'none yet'}."
    return f"There is no {noun} “{name}” in force for this business unit. {remedy}"


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(OptionalUnitAdmin):
    form = PolicyForm
    list_display = ["name", "version", "state", "tool", "unit", "verdict", "people", "reason"]
    fieldsets = [
        (None, {"fields": ["name", "version", "unit_id", "tool", "condition", "verdict", "reason"]}),
        ("Who signs", {"fields": ["required", "needs"]}),
        ("What they answer", {"fields": ["checks", "reason_codes"]}),
        ("Time", {"fields": ["decide_within_seconds", "calendar", "use_within_seconds", "on_timeout", "escalate_to"]}),
    ]
    readonly_fields = ["version"]
    search_fields = ["name", "tool", "reason"]

    @admin.display(description="Signatures")
    def people(self, row: ApprovalPolicy) -> str:
        return ", ".join([str(row.required), *map(write_need, Need.read(row.needs))])

    def readable(self, content: dict[str, Any]) -> dict[str, Any]:
        needs = "\n".join(map(write_need, Need.read(content.get("needs", []))))
        return {**content, "needs": needs, "checks": "\n".join(content.get("checks", []))}

    def further_pages(self, row: Any) -> list[dict[str, str]]:
        return [{"word": "Try it on past actions", "url": reverse(TRIAL, args=[row.pk])}]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_it)
        return [path("<uuid:pk>/trial/", view, name="approvals_approvalpolicy_trial"), *super().get_urls()]

    def try_it(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """What this version would have meant for the last actions."""
        row = self.get_object(request, str(pk))
        if row is None or not self.has_view_permission(request, row):
            raise NotVisible("There is no such policy.")
        context = {**self.admin_site.each_context(request), "title": f"Try {row}", "opts": self.opts, "original": row}
        return trial_page(request, row, actor_of(request), context)
