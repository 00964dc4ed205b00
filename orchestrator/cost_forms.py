"""What a cost page was asked for: days, units, and what to group by. An address that makes no sense is read as this month."""

from django import forms

from orchestrator.forms import FilterForm, _day
from orchestrator.queries.cost_report import DIMENSIONS

GROUPS = [(name, title) for name, (_, title) in DIMENSIONS.items()]


class DaysForm(FilterForm):
    since = forms.DateField(required=False, label="From", widget=_day())
    until = forms.DateField(required=False, label="To", widget=_day())
    unit = forms.ChoiceField(required=False, label="Unit and below")


class CostForm(DaysForm):
    by = forms.ChoiceField(required=False, label="Group by", choices=GROUPS)
    then = forms.ChoiceField(required=False, label="Then by", choices=[("", "Nothing else"), *GROUPS])


class ChangeForm(DaysForm):
    against = forms.DateField(required=False, label="Against days from", widget=_day())
    against_until = forms.DateField(required=False, label="Against days to", widget=_day())
    field_order = ("since", "until", "against", "against_until", "unit")
