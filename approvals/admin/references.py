"""What policies refer to: groups of reviewers, business calendars, and accounts that are one person."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin

from approvals.admin.fields import AccountsField, names_of
from approvals.models import BusinessCalendar, LinkedAccounts, ReviewerGroup
from approvals.open_hours import BadHours, read_holidays, read_weekly, read_zone
from audit.admin import DefinitionAdmin
from budgets.admin import OptionalUnitAdmin


class OfPeople:
    """Shows accounts by name wherever a definition holds their ids."""

    ids = ""

    def readable(self, content: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = super().readable(content)  # type: ignore[misc]
        return {**told, "people": names_of(told.pop(self.ids, []))}

    @admin.display(description="People")
    def people(self, row: Any) -> str:
        return names_of(getattr(row, self.ids))


class ReviewerGroupForm(forms.ModelForm):  # type: ignore[type-arg]
    member_ids = AccountsField(
        label="Members", help_text="A member also needs the reviewer role in the unit concerned."
    )

    class Meta:
        model = ReviewerGroup
        fields = ["name", "title", "unit_id", "member_ids"]


@admin.register(ReviewerGroup)
class ReviewerGroupAdmin(OfPeople, OptionalUnitAdmin):
    form = ReviewerGroupForm
    ids = "member_ids"
    in_words: ClassVar[dict[str, str]] = {**OptionalUnitAdmin.in_words, "member_ids": "people"}
    list_display = ["name", "version", "state", "title", "unit", "people"]
    fields = ("name", "title", "unit_id", "member_ids")
    search_fields = ["name", "title"]


class BusinessCalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = BusinessCalendar
        fields = ["name", "title", "unit_id", "time_zone", "weekly_hours", "holidays"]
        widgets = {
            name: forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}) for name in ("weekly_hours", "holidays")
        }

    def clean_time_zone(self) -> str:
        return self._read("time_zone", read_zone)

    def clean_weekly_hours(self) -> str:
        return self._read("weekly_hours", read_weekly)

    def clean_holidays(self) -> str:
        return self._read("holidays", read_holidays)

    def _read(self, name: str, read: Any) -> str:
        text: str = self.cleaned_data[name]
        try:
            read(text)
        except BadHours as error:
            raise forms.ValidationError(str(error)) from None
        return text


@admin.register(BusinessCalendar)
class BusinessCalendarAdmin(OptionalUnitAdmin):
    form = BusinessCalendarForm
    list_display = ["name", "version", "state", "title", "time_zone", "unit"]
    fields = ("name", "title", "unit_id", "time_zone", "weekly_hours", "holidays")
    search_fields = ["name", "title"]


class LinkedAccountsForm(forms.ModelForm):  # type: ignore[type-arg]
    # What was asked for under an account that is disabled by now is still theirs, and it may be enabled again.
    account_ids = AccountsField(
        label="Accounts", required=False, disabled_too=True, help_text="None chosen takes the link apart."
    )

    class Meta:
        model = LinkedAccounts
        fields = ["name", "account_ids", "reason"]

    def clean_account_ids(self) -> list[int]:
        chosen: list[int] = self.cleaned_data["account_ids"]
        if len(chosen) == 1:
            raise forms.ValidationError("A link takes two accounts or more; choose none to take it apart.")
        return chosen


@admin.register(LinkedAccounts)
class LinkedAccountsAdmin(OfPeople, DefinitionAdmin):
    form = LinkedAccountsForm
    ids = "account_ids"
    in_words: ClassVar[dict[str, str]] = {"account_ids": "people"}
    list_display = ["name", "version", "state", "people", "reason"]
    fields = ("name", "account_ids", "reason")
    search_fields = ["name", "reason"]
