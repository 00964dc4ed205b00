"""What people type and choose when they undo what an execution did."""

from typing import Any
from uuid import UUID

from django import forms

from orchestrator.forms.base import FilterForm, ReasonForm
from orchestrator.operations.undo_plan import UndoPlan

RANGES = [
    ("168", "Last 7 days"),
    ("24", "Last 24 hours"),
    ("720", "Last 30 days"),
    ("2160", "Last 90 days"),
    ("", "Any time"),
]


class UndoForm(ReasonForm):
    """Which effects, and why. All that can be undone is chosen, unless the person came from one of them."""

    effects = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, label="What to undo, in this order",
        error_messages={"required": "Choose at least one effect."},
    )  # fmt: skip
    field_order = ("effects", "reason")

    def __init__(self, *args: Any, plan: UndoPlan, titles: dict[UUID, str], only: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(effect.action.pk), titles[effect.action.pk]) for effect in plan.possible]
        chosen = [pk for pk, _ in choices]
        self.fields["effects"].choices = choices  # type: ignore[attr-defined]
        self.fields["effects"].initial = [only] if only in chosen else chosen

    def only(self) -> list[UUID]:
        return [UUID(pk) for pk in self.cleaned_data["effects"]]


class RollbackForm(FilterForm):
    """The range; without a choice, the last week."""

    since = forms.ChoiceField(choices=RANGES, required=False, label="Started", initial="168")
    unit = forms.ChoiceField(required=False)
