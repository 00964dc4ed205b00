"""The escalation ladder in the admin: a level is drafted by one administrator and activated by another."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin

from approvals.models import EscalationLevel
from audit.account_choice import called
from budgets.admin import OptionalUnitAdmin
from budgets.permissions import people_with

FIELDS = ["name", "unit_id", "after_percent", "group", "person"]


class LevelForm(forms.ModelForm):  # type: ignore[type-arg]
    """One rung."""

    class Meta:
        model = EscalationLevel
        fields = FIELDS

    def clean(self) -> dict[str, Any]:
        """A group or a person, and a person who could sign in that unit."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        person, unit = data.get("person"), data.get("unit_id")
        if bool(data.get("group")) == bool(person):
            self.add_error("group", "Choose a group or a person, one of the two.")
        elif person is not None and unit and person.pk not in people_with("review", unit):
            self.add_error("person", "This person does not review in the unit: asking them would only lose time.")
        return data


@admin.register(EscalationLevel)
class EscalationLevelAdmin(OptionalUnitAdmin):
    form = LevelForm
    list_display = ["name", "version", "state", "unit", "after_percent", "group", "person"]
    fields = (*FIELDS,)
    in_words: ClassVar[dict[str, str]] = {**OptionalUnitAdmin.in_words, "person": "asked"}
    readonly_fields = ["version"]
    search_fields = ["name"]

    @admin.display(description="Person")
    def asked(self, row: EscalationLevel) -> str:
        return called(row.person)
