"""What people type about sends that nobody answered for."""

from typing import Any

from django import forms

from audit.canonical import BadJSON, read_strict
from audit.filter_forms import search
from audit.refusals import Invalid
from orchestrator.forms.base import SINCE, FilterForm
from orchestrator.models import OutcomeCode, OutcomeVerdict
from orchestrator.operations.unknown_outcomes import Said

REMINDERS = [("3600", "In an hour"), ("14400", "In four hours"), ("86400", "Tomorrow"), ("259200", "In three days")]
LABELS = {
    OutcomeVerdict.HAPPENED: "It happened",
    OutcomeVerdict.DID_NOT: "It did not happen, so it may be sent again under the same key",
    OutcomeVerdict.CANNOT_TELL: "I cannot tell; leave it parked",
}


class DoubtForm(FilterForm):
    unit = forms.ChoiceField(required=False)
    since = forms.ChoiceField(choices=SINCE, required=False, label="Proposed")
    q = search()


class AnswerForm(forms.Form):
    """What became of a send that nobody can look up."""

    verdict = forms.ChoiceField(
        choices=[(verdict.value, label) for verdict, label in LABELS.items()],
        widget=forms.RadioSelect, label="What did you find?", error_messages={"required": "Choose one answer."},
    )  # fmt: skip
    code = forms.ChoiceField(
        choices=[("", "Choose how you know it"), *OutcomeCode.choices], label="How do you know?",
        error_messages={"required": "Choose how you know it."},
    )  # fmt: skip
    note = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}), label="Evidence",
        help_text="For example the number of the entry you found.", error_messages={"required": "Say how you know."},
    )  # fmt: skip
    result = forms.CharField(
        max_length=100_000, required=False, widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        label="Result, if it happened", help_text='A JSON object, as the tool would have answered: {"order": "A-17"}',
    )  # fmt: skip
    owner = forms.CharField(
        max_length=200, required=False, label="Who looks further, if you cannot tell", help_text="You, if left empty."
    )
    remind_seconds = forms.TypedChoiceField(
        choices=REMINDERS, coerce=int, required=False, empty_value="86400", initial="86400",
        label="Reminder, if you cannot tell",
    )  # fmt: skip

    def clean_result(self) -> dict[str, Any] | None:
        text = self.cleaned_data["result"].strip()
        try:
            value = read_strict(text.encode()) if text else None
        except BadJSON as error:
            raise forms.ValidationError(str(error)) from None
        if value is not None and not isinstance(value, dict):
            raise forms.ValidationError("Write a JSON object, in braces.")
        return value

    def said(self) -> Said:
        return Said(**self.cleaned_data | {"remind_seconds": int(self.cleaned_data["remind_seconds"])})

    def take(self, refusal: Invalid) -> None:
        """What the verb refused stands beside the field it is about; what was typed stays."""
        for pointer, _, message in refusal.errors:
            name = pointer.lstrip("/")
            self.add_error(name if name in self.fields else None, message)
