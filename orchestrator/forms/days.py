"""The days, units and groups of a page of figures. Days that make no sense are read as some that do, aloud."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django import forms

from audit.filter_forms import FilterBar
from orchestrator.forms.base import day_field
from orchestrator.health.levels import GROUPS
from orchestrator.queries.days import Note


class DaysForm(FilterBar):
    since = forms.DateField(required=False, label="From", widget=day_field())
    until = forms.DateField(required=False, label="To", widget=day_field())
    unit = forms.ChoiceField(required=False, label="Unit and below")
    # What was asked for and is not shown, each with the label of its field.
    changed: list[tuple[str, Note]]

    def __init__(
        self, given: Mapping[str, Any], *, days: Mapping[str, date], notes: Iterable[Note], **kwargs: Any
    ) -> None:
        """The fields show the days that are shown, whatever was asked."""
        super().__init__({**given, **days}, **kwargs)
        self.changed = [(str(self.fields[note.field].label), note) for note in notes]
        self.is_valid()


class FiguresForm(DaysForm):
    """The range and unit of the figures: that unit alone."""

    unit = forms.ChoiceField(required=False)


class LevelsForm(DaysForm):
    """The range and units of service levels, and what the lines are."""

    by = forms.ChoiceField(choices=[(name, name.capitalize()) for name in GROUPS], required=False, label="By")
