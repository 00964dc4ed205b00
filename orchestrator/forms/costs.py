"""What a cost page was asked for: days, units, and what to group by. Days that make no sense are read as some that do, aloud.

And the form that corrects a line.
"""

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from budgets.money import PLACES
from orchestrator.forms.base import day_field
from orchestrator.forms.days import DaysForm
from orchestrator.operations.corrections import Wanted
from orchestrator.queries.cost_line import LinePage
from orchestrator.queries.cost_report import DIMENSIONS

GROUPS = [(name, title) for name, (_, title) in DIMENSIONS.items()]


class CostForm(DaysForm):
    by = forms.ChoiceField(required=False, label="Group by", choices=GROUPS)
    then = forms.ChoiceField(required=False, label="Then by", choices=[("", "Nothing else"), *GROUPS])


class ChangeForm(DaysForm):
    against = forms.DateField(required=False, label="Against days from", widget=day_field())
    against_until = forms.DateField(required=False, label="Against days to", widget=day_field())
    field_order = ("since", "until", "against", "against_until", "unit")


class CorrectionForm(forms.Form):
    """What a line really cost, and why. Its currency is asked for only while nobody knows it."""

    to = forms.DecimalField(
        label="What it really cost", min_value=0, max_digits=20, decimal_places=PLACES,
        help_text="All of it, not the difference. 0 takes the line out of every sum, for good.",
    )  # fmt: skip
    currency = forms.CharField(
        required=False,
        min_length=3,
        max_length=3,
        validators=[RegexValidator("^[A-Z]{3}$", "Write the ISO 4217 code: EUR.")],
    )
    reason = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}), error_messages={"required": "Say why the line was wrong."},
        help_text="For example which invoice says so. It is kept in the ledger for good.",
    )  # fmt: skip
    read = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, shown: LinePage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.update(read=shown.read, currency=shown.currency)
        if shown.currency:
            self.fields["currency"].widget = forms.HiddenInput()
        else:
            self.fields["currency"].required = True

    def wanted(self) -> Wanted:
        given = self.cleaned_data
        return Wanted(to=given["to"], currency=given["currency"], why=given["reason"], read=given["read"])
