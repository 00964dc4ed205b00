"""What people type about alerts."""

from datetime import datetime, timedelta
from typing import Any

from django import forms

from orchestrator.forms.base import BehindFields
from orchestrator.forms.triage import TabFilters, reason
from orchestrator.models import Severity
from orchestrator.queries.alerts import TABS
from orchestrator.queries.behind import ALERTS

HOURS = [("1", "1 hour"), ("8", "8 hours"), ("24", "A day"), ("168", "A week")]


class AlertFilters(BehindFields, TabFilters):
    figures = tuple(ALERTS)
    unit = forms.ChoiceField(required=False)
    severity = forms.ChoiceField(choices=[("", "Any"), *((one.value, one.label) for one in Severity)], required=False)
    tab = forms.ChoiceField(choices=[(tab, tab) for tab in TABS], required=False, widget=forms.HiddenInput)

    def chosen(self) -> dict[str, str]:
        return {name: value for name, value in super().chosen().items() if name not in BehindFields.base_fields}


class AcknowledgeForm(forms.Form):
    prefix = "acknowledge"
    reason = reason("What do you do about it?")


class HandOverForm(forms.Form):
    """To whom: a person or a group."""

    prefix = "hand"
    to = forms.ChoiceField(label="To", error_messages={"required": "Choose somebody."})
    reason = reason("Why is it theirs?")

    def __init__(self, *args: Any, candidates: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = [(key, f"{name} (group)" if key.startswith("group:") else name) for key, name in candidates]
        self.fields["to"].choices = [("", "Choose a person or a group"), *shown]  # type: ignore[attr-defined]


class MuteForm(forms.Form):
    """How long nobody is told."""

    prefix = "mute"
    hours = forms.ChoiceField(choices=HOURS, label="For")
    reason = reason("Why does nobody have to hear of it?")

    def until(self, now: datetime) -> datetime:
        return now + timedelta(hours=int(self.cleaned_data["hours"]))
