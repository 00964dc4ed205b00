"""What an administrator writes to make a test item."""

from django import forms

from approvals.forms.exchange import ValuesForm
from approvals.models import Expected
from approvals.models.seeded_item import SHORTEST_HINT


class SeedForm(ValuesForm):
    """A past call's arguments with something changed, what is right about it, and what there is to see."""

    expected = forms.ChoiceField(
        choices=Expected.choices, widget=forms.RadioSelect, label="What is right?",
        error_messages={"required": "Say what a careful reviewer would do."},
    )  # fmt: skip
    hint = forms.CharField(
        min_length=SHORTEST_HINT, max_length=500, widget=forms.Textarea(attrs={"rows": 3}), label="What to look for",
        help_text="Shown to the reviewer right after the decision: “The account is not the supplier's own.”",
        error_messages={"required": "Say what there is to see."},
    )  # fmt: skip
