"""What people type to stop something, and to let it go on."""

from typing import Any
from uuid import UUID

from django import forms

from approvals.models import StopScope
from approvals.operations.stops import SHORTEST_REASON_TO_LIFT, Target
from orchestrator.queries.stops import EVERY_UNIT


class StopForm(forms.Form):
    """What a person stops, and why. Everything else about it the system knows."""

    what = forms.ChoiceField(
        choices=StopScope.choices, widget=forms.RadioSelect, label="Stop",
        error_messages={"required": "Choose what to stop."},
    )  # fmt: skip
    agent = forms.ChoiceField(required=False, label="Which agent", help_text="workflow:… are a workflow's own steps.")
    tool = forms.ChoiceField(required=False, label="Which tool")
    unit = forms.ChoiceField(required=False, label="Where")
    reason = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 2}), error_messages={"required": "Say why."},
        help_text="Everybody who meets the stop reads it.",
    )  # fmt: skip

    def __init__(self, *args: Any, offered: dict[str, list[tuple[str, str]]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, options in offered.items():
            self.fields[name].choices = options  # type: ignore[attr-defined]
        for name in ("agent", "tool", "unit"):
            # Which of them is needed depends on what is stopped; the form says so when it is missing.
            self.fields[name].needed_sometimes = True  # type: ignore[attr-defined]
        if EVERY_UNIT not in dict(offered["unit"]):
            kept = [(value, label) for value, label in StopScope.choices if value != StopScope.EVERYTHING]
            self.fields["what"].choices = kept  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        what = given.get("what", "")
        if what in {StopScope.AGENT, StopScope.TOOL} and not given.get(what):
            self.add_error(what, f"Choose the {what}.")
        if what == StopScope.UNIT and given.get("unit") in {"", EVERY_UNIT}:
            self.add_error("unit", "Choose the unit, or stop everything.")
        elif what in {StopScope.AGENT, StopScope.TOOL} and not given.get("unit"):
            self.add_error("unit", f"Choose where the {what} is stopped.")
        return given

    def target(self) -> Target:
        given = self.cleaned_data
        everywhere = given["what"] == StopScope.EVERYTHING or given["unit"] == EVERY_UNIT
        unit = None if everywhere else UUID(given["unit"])
        return Target(scope=given["what"], agent=given["agent"], tool=given["tool"], unit_id=unit)


class LiftForm(forms.Form):
    """Why it is safe to go on."""

    reason = forms.CharField(
        min_length=SHORTEST_REASON_TO_LIFT, max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        label="Why is it safe to go on?", error_messages={"required": "Say why it is safe to go on."},
        help_text="For example what was wrong, and what was changed. Kept with the stop.",
    )  # fmt: skip
