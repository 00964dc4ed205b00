"""What people type when they triage: a group's acts, and the terms of an operation."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms

from audit.canonical import BadJSON, read_strict
from audit.filter_forms import FilterBar
from audit.ids import id_of
from orchestrator.models import DiscardCode, Operation, OperationAct
from orchestrator.operations.bulk_letters import SHARES, SPEEDS, Terms
from orchestrator.queries.failure_groups import TABS

HOURS = [("", "No time"), ("1", "1 hour"), ("8", "8 hours"), ("24", "A day"), ("168", "A week")]
GROWTH = [("", "No number"), ("1", "1 more letter"), ("10", "10 more"), ("100", "100 more"), ("1000", "1,000 more")]
REASONS = [("", "Choose a reason"), *DiscardCode.choices]


class TabFilters(FilterBar):
    """One beside tabs."""

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


class GroupFilters(TabFilters):
    unit = forms.ChoiceField(required=False)
    owner = forms.ChoiceField(required=False)
    tab = forms.ChoiceField(choices=[("", ""), *((tab, tab) for tab in TABS)], required=False, widget=forms.HiddenInput)


def reason(label: str) -> forms.CharField:
    """The field that every act with a reason has."""
    return forms.CharField(
        label=label, max_length=1_000, widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why."},
    )  # fmt: skip


class ParkForm(forms.Form):
    """Until when a group rests: a time, a growth, or whichever comes first."""

    prefix = "park"
    hours = forms.ChoiceField(choices=HOURS, required=False, label="For")
    more = forms.ChoiceField(choices=GROWTH, required=False, label="Or until there are")
    reason = reason("Why can it wait?")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not given.get("hours") and not given.get("more"):
            self.add_error("hours", "Choose a time, a growth, or both.")
        return given

    def until(self, now: datetime) -> datetime | None:
        hours = self.cleaned_data["hours"]
        return now + timedelta(hours=int(hours)) if hours else None

    def growth(self) -> int | None:
        return int(self.cleaned_data["more"]) if self.cleaned_data["more"] else None


class FixForm(forms.Form):
    """Since which release the cause is gone."""

    prefix = "fix"
    release = forms.ChoiceField(required=False, label="Fixed in")
    reason = reason("What was fixed?")

    def __init__(self, *args: Any, releases: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(str(one.pk), str(one)) for one in releases]
        self.fields["release"].choices = [("", "Outside of our releases"), *known]  # type: ignore[attr-defined]

    def release_id(self) -> UUID | None:
        return UUID(self.cleaned_data["release"]) if self.cleaned_data["release"] else None


class ReopenForm(forms.Form):
    prefix = "reopen"
    reason = reason("Why look again?")


class TicketForm(forms.Form):
    prefix = "ticket"
    ticket = forms.CharField(
        required=False, max_length=500, label="Link to the ticket", help_text="Begins with https://"
    )


class MergeForm(forms.Form):
    """Which group of the same unit has the same cause."""

    prefix = "merge"
    into = forms.ChoiceField(label="Into", error_messages={"required": "Choose a group."})
    reason = reason("Why are they one cause?")

    def __init__(self, *args: Any, others: list[Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(str(one.pk), f"{one}: {one.pattern[:80]}") for one in others]
        self.fields["into"].choices = [("", "Choose a group"), *known]  # type: ignore[attr-defined]


class SplitForm(forms.Form):
    """One of the common values, as the page offers it."""

    name = forms.CharField(max_length=20)
    value = forms.CharField(max_length=500, strip=False)


class ChoiceForm(forms.Form):
    """What is to be done, and to which letters. Ids that are none are ignored: whoever types their own gets fewer."""

    act = forms.ChoiceField(choices=OperationAct.choices)
    rows = forms.ChoiceField(choices=[("selected", "selected"), ("all", "all")])

    def ids(self) -> list[UUID] | None:
        """The ticked letters; None for all open ones of the group."""
        if self.cleaned_data["rows"] == "all":
            return None
        data: Any = self.data
        return [pk for text in data.getlist("letter") if (pk := id_of(text)) is not None]


class PatchForm(forms.Form):
    """The corrected input as JSON, with the digest of what was read before."""

    input = forms.CharField(
        max_length=100_000, strip=False, label="Input of the step",
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false", "autocomplete": "off"}),
        help_text="JSON. It is judged by the schema that the execution's release holds.",
        error_messages={"required": "The input is empty."},
    )  # fmt: skip
    reason = reason("What was wrong with it?")
    before_digest = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def clean_input(self) -> dict[str, Any]:
        try:
            value = read_strict(self.cleaned_data["input"].encode())
        except BadJSON as fault:
            raise forms.ValidationError(f"This is not JSON that can be used: {fault}") from None
        if not isinstance(value, dict):
            raise forms.ValidationError("The input of a step is a JSON object.")
        return value


class DiscardForm(forms.Form):
    """Why work is given up: a word that can be counted, and a note where the word says nothing."""

    reason_code = forms.ChoiceField(
        choices=REASONS, label="Reason", error_messages={"required": "Choose the reason that fits best."}
    )
    note = forms.CharField(
        required=False, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the audit trail. The owner reads it. “Other” needs a note.",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if given.get("reason_code") == DiscardCode.OTHER and not given.get("note", "").strip():
            self.add_error("note", "The reason “other” needs a note.")
        return given


class TermsForm(DiscardForm):
    """What a person confirms an operation with. What its act does not ask for is not there."""

    per_minute = forms.TypedChoiceField(
        choices=[(speed, f"{speed} a minute") for speed in SPEEDS], coerce=int, initial=60, label="Speed limit"
    )
    stop_percent = forms.TypedChoiceField(
        choices=[(0, "The first failure"), *((share, f"More than {share} % failures") for share in SHARES if share)],
        coerce=int, initial=0, label="Stop the rest at",
        help_text="A failure among the first and the next ten always stops it.",
    )  # fmt: skip
    count = forms.IntegerField(label="Number of letters", error_messages={"required": "Type the number of letters."})

    def __init__(self, *args: Any, operation: Operation, must_type: bool, second: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "auto_id": "terms_%s"})
        discards = operation.act == OperationAct.DISCARD
        gone = {"reason_code", "note"} if not discards or second else set()
        gone |= {"stop_percent"} if discards or second else set()
        gone |= {"per_minute"} if second else set()
        gone |= set() if must_type else {"count"}
        for name in gone:
            del self.fields[name]
        if must_type:
            self.fields["count"].help_text = f"Type {operation.size} to confirm that you know how many these are."
            self.fields["count"].widget.attrs |= {"inputmode": "numeric", "autocomplete": "off"}

    def terms(self) -> Terms:
        return Terms(**{name: value for name, value in self.cleaned_data.items() if value is not None})
