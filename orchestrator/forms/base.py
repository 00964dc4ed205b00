"""What the forms of several pages share: filter bars, the figure a list was opened from, a reason."""

from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from audit.filter_forms import FilterBar
from audit.moments import refuse_other_years
from audit.templatetags._status import pill
from orchestrator.queries import days
from orchestrator.queries.behind import LINES, Behind

SINCE = [("", "Any time"), ("1", "Last hour"), ("24", "Last 24 hours"), ("168", "Last 7 days")]


def words(domain: str, values: list[str]) -> list[tuple[str, str]]:
    """Any, and each value in the words of the badge that the rows show."""
    return [("", "Any"), *((value, pill(domain, value).word) for value in values)]


def day_field() -> forms.DateInput:
    """A browser's own field for a day speaks one format only."""
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


EARLIEST, LATEST = days.EARLIEST, days.LATEST


def midnight(day: date) -> datetime:
    """Its beginning where the reader is. What lies outside of any use is brought inside, so that no address breaks."""
    return timezone.make_aware(datetime.combine(min(max(day, EARLIEST), LATEST), time.min))


class FilterForm(FilterBar):
    """One with a time among its fields."""

    def chosen(self, now: datetime) -> dict[str, Any]:
        """What was chosen and is valid, with `since` as a moment."""
        self.is_valid()
        chosen = {name: self.cleaned_data.get(name) or None for name in self.fields}
        hours = chosen.pop("since")
        found = {name: value for name, value in chosen.items() if value}
        return found | ({"since": now - timedelta(hours=int(hours))} if hours else {})


class BehindFields(forms.Form):
    """A list that a figure leads to: which figure, of which line of which page. Those fields are in no filter bar."""

    # Of these the list has rows.
    figures: ClassVar[tuple[str, ...]] = ()
    figure = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    asked_from = forms.DateTimeField(required=False, widget=forms.HiddenInput, validators=[refuse_other_years])
    asked_until = forms.DateTimeField(required=False, widget=forms.HiddenInput, validators=[refuse_other_years])
    tree = forms.UUIDField(required=False, widget=forms.HiddenInput)
    by = forms.ChoiceField(choices=[(name, name) for name in LINES], required=False, widget=forms.HiddenInput)
    line = forms.CharField(required=False, max_length=400, widget=forms.HiddenInput)

    def behind(self) -> Behind | None:
        """The figure; None where the address does not say all of it, or says one that this list has no rows of."""
        self.is_valid()
        said = {
            name: self.cleaned_data.get(name) for name in ("figure", "asked_from", "asked_until", "tree", "by", "line")
        }
        since, until = said["asked_from"], said["asked_until"]
        if said["figure"] not in self.figures or not (since and until):
            return None
        line = (said["line"] or "") if said["by"] else ""
        return Behind(
            figure=said["figure"], since=since, until=until, tree=said["tree"], by=said["by"] or "", line=line
        )


class BehindForm(BehindFields, FilterForm):
    """The same in a filter bar."""

    def chosen(self, now: datetime) -> dict[str, Any]:
        """The figure as one filter beside what was chosen."""
        found = super().chosen(now)
        kept = {name: value for name, value in found.items() if name not in BehindFields.base_fields}
        behind = self.behind()
        return {**kept, "behind": behind} if behind else kept


class ReasonForm(forms.Form):
    """Why a person stops, discards or says something: read by the owner and by auditors."""

    reason = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the audit trail. The owner reads it.", error_messages={"required": "Say why."},
    )  # fmt: skip
