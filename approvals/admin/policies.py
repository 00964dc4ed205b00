"""Approval policies in the admin. A condition that does not compile is refused with its line and column."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from approvals import vocabulary
from approvals.admin.fields import ChecksField, NeedsField
from approvals.admin.trial import trial_page
from approvals.models import ApprovalPolicy, BusinessCalendar, ReasonCode, ReviewerGroup
from approvals.quorum import Need
from approvals.rules import references
from approvals.rules.policies import LONGEST_SECONDS
from audit import scope
from audit.conditions import BadCondition
from audit.refusals import NotVisible
from audit.web import actor_of
from budgets.admin import OptionalUnitAdmin
from budgets.units import above

REFERS_TO: dict[str, tuple[Any, str]] = {
    "calendar": (BusinessCalendar, "Round the clock"),
    "escalate_to": (ReviewerGroup, "Nobody"),
}
TIMES = {"decide_within_seconds", "use_within_seconds"}
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
            "name", "unit_id", "tool", "condition", "verdict", "required", "needs", "checks", "reason_codes", "step_up", "reason",
            "decide_within_seconds", "calendar", "use_within_seconds", "on_timeout", "escalate_to",
            "second_look_percent", "test_items",
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
        found = references.problems(
            needs=Need.read(data.get("needs") or []),
            calendar=data.get("calendar") or "",
            on_timeout=data.get("on_timeout") or "",
            escalate_to=data.get("escalate_to") or "",
            unit_id=UUID(str(data["unit_id"])) if data.get("unit_id") else None,
        )
        for field, problem in found:
            self.add_error(field, problem)
        return data


def _groups(needs: list[dict[str, Any]]) -> str:
    return "\n".join(map(str, Need.read(needs)))


def _reasons(codes: list[str]) -> str:
    return "\n".join(ReasonCode(code).label for code in codes) or "All"


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(OptionalUnitAdmin):
    form = PolicyForm
    list_display = ["name", "version", "state", "tool", "unit", "verdict", "people", "reason"]
    fieldsets = [
        (None, {"fields": ["name", "version", "unit_id", "tool", "condition", "verdict", "reason"]}),
        ("Who signs", {"fields": ["required", "needs"]}),
        ("What they answer", {"fields": ["checks", "reason_codes", "step_up"]}),
        ("Time", {"fields": ["decide_within_seconds", "calendar", "use_within_seconds", "on_timeout", "escalate_to"]}),
        ("Learning from it", {"fields": ["second_look_percent", "test_items"]}),
    ]
    readonly_fields = ["version"]
    in_words: ClassVar[dict[str, str]] = {
        **OptionalUnitAdmin.in_words, "needs": "groups", "checks": "questions", "reason_codes": "reasons",
    }  # fmt: skip
    search_fields = ["name", "tool", "reason"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """What a policy refers to by name is chosen among what is in force; whether it fits the unit is asked on saving."""
        if db_field.name in TIMES:
            kwargs |= {"min_value": 1, "max_value": LONGEST_SECONDS}
        if db_field.name not in REFERS_TO:
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        model, nothing = REFERS_TO[db_field.name]
        units = scope.unit_ids(actor_of(request), "view")
        # Of the units above as well: a policy may name their groups, and whoever sees only its own unit activates it, too.
        reached = Q(unit_id=None) | Q(unit_id__in=units | above(units))
        named = model.objects.active().filter(reached).order_by("title").values_list("name", "title")
        options = [("", nothing), *((name, f"{title} ({name})") for name, title in named)]
        return forms.ChoiceField(choices=options, required=False, help_text=db_field.help_text)

    @admin.display(description="Signatures")
    def people(self, row: ApprovalPolicy) -> str:
        return ", ".join([str(row.required), *map(str, Need.read(row.needs))])

    @admin.display(description="Groups")
    def groups(self, row: ApprovalPolicy) -> str:
        return _groups(row.needs) or "Any reviewer of the unit"

    @admin.display(description="Checks")
    def questions(self, row: ApprovalPolicy) -> str:
        return "\n".join(row.checks) or "None"

    @admin.display(description="Reason codes")
    def reasons(self, row: ApprovalPolicy) -> str:
        return _reasons(row.reason_codes)

    def readable(self, content: dict[str, Any]) -> dict[str, Any]:
        words = {"needs": _groups(content.get("needs", [])), "checks": "\n".join(content.get("checks", []))}
        return {**super().readable(content), **words, "reason_codes": _reasons(content.get("reason_codes", []))}

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
