"""What people type into the pages of executions, actions and dead letters."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.utils import timezone

from approvals.exchange_forms import ValuesForm
from approvals.models import Expected, StopScope
from approvals.models.seeded_item import SHORTEST_HINT
from approvals.stops import SHORTEST_REASON_TO_LIFT, Target
from audit.templatetags._status import pill
from orchestrator.health.levels import GROUPS
from orchestrator.queries import days
from orchestrator.queries.actions import ActionFilters
from orchestrator.queries.behind import ALERTS, CALLS, DOUBTS, FIGURES, LETTERS, LINES, REFUSED, Behind
from orchestrator.queries.days import Note
from orchestrator.queries.dead_letters import LetterFilters
from orchestrator.queries.executions import WAITING_FOR, ExecutionFilters
from orchestrator.queries.stops import EVERY_UNIT
from orchestrator.queries.trace_conditions import ANY
from orchestrator.queries.trace_search import TraceFilters
from orchestrator.statuses import ActionStatus, DeadLetterStatus, ExecutionStatus

SINCE = [("", "Any time"), ("1", "Last hour"), ("24", "Last 24 hours"), ("168", "Last 7 days")]
WAITS = [("", "Any"), *((status.value, word.capitalize()) for status, word in WAITING_FOR.items())]
TIERS = ["informational", "customer_facing", "financial"]
VERDICTS = ["allow", "hold", "deny"]
FAILURES = [
    "system", "timeout", "unknown_outcome", "lost", "empty_result", "output_schema", "budget", "policy", "determinism",
    "bug",
]  # fmt: skip


def _words(domain: str, values: list[str]) -> list[tuple[str, str]]:
    """Any, and each value in the words of the badge that the rows show."""
    return [("", "Any"), *((value, pill(domain, value).word) for value in values)]


def _search() -> forms.CharField:
    box = forms.TextInput(attrs={"type": "search"})
    return forms.CharField(required=False, max_length=200, label="Text", widget=box)


def _day() -> forms.DateInput:
    """A browser's own field for a day speaks one format only."""
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


EARLIEST, LATEST = days.EARLIEST, days.LATEST


def midnight(day: date) -> datetime:
    """Its beginning where the reader is. What lies outside of any use is brought inside, so that no address breaks."""
    return timezone.make_aware(datetime.combine(min(max(day, EARLIEST), LATEST), time.min))


class FilterForm(forms.Form):
    """A filter bar. What is not among the choices is ignored: a shared link never breaks."""

    def __init__(self, *args: Any, offered: dict[str, list[tuple[str, str]]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, options in offered.items():
            self.fields[name].choices = [("", "Any"), *options]  # type: ignore[attr-defined]

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
    asked_from = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    asked_until = forms.DateTimeField(required=False, widget=forms.HiddenInput)
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


class ExecutionForm(BehindForm):
    figures = tuple(name for name in FIGURES if name not in {*CALLS, *DOUBTS, *LETTERS, *ALERTS, *REFUSED})
    state = forms.ChoiceField(choices=_words("execution", ExecutionStatus.values), required=False)
    workflow = forms.ChoiceField(required=False)
    unit = forms.ChoiceField(required=False)
    waits = forms.ChoiceField(choices=WAITS, required=False, label="Waits for")
    since = forms.ChoiceField(choices=SINCE, required=False, label="Started")
    q = _search()

    def filters(self, now: datetime) -> ExecutionFilters:
        return ExecutionFilters(**self.chosen(now))


SLOWER = [("", "Any"), ("1", "1 s"), ("10", "10 s"), ("60", "1 min"), ("3600", "1 h")]
COSTS = [("", "Any"), *((amount, amount) for amount in ("0.01", "0.10", "1", "10", "100"))]
ERRORS = [*_words("failure", ["business", *FAILURES])]
ERRORS.insert(1, (ANY, "Any error"))


class TraceForm(ExecutionForm):
    agent = forms.ChoiceField(required=False)
    tool = forms.ChoiceField(required=False)
    error = forms.ChoiceField(choices=ERRORS, required=False)
    slower = forms.ChoiceField(choices=SLOWER, required=False, label="Slower than")
    cost = forms.ChoiceField(choices=COSTS, required=False, label="Cost at least")
    begun_from = forms.DateField(required=False, label="From", widget=_day())
    begun_until = forms.DateField(required=False, label="To", widget=_day())
    field_order = (
        "state", "workflow", "unit", "agent", "tool", "error", "slower", "cost", "waits", "since", "begun_from",
        "begun_until", "q",
    )  # fmt: skip

    def filters(self, now: datetime) -> TraceFilters:
        """The last day is in the search to its end."""
        chosen = self.chosen(now)
        if "slower" in chosen:
            chosen["slower"] = timedelta(seconds=int(chosen["slower"]))
        if "cost" in chosen:
            chosen["cost"] = Decimal(chosen["cost"])
        if "begun_from" in chosen:
            chosen["begun_from"] = midnight(chosen["begun_from"])
        if "begun_until" in chosen:
            chosen["begun_until"] = midnight(min(chosen["begun_until"], LATEST) + timedelta(days=1))
        return TraceFilters(**chosen)


class ActionForm(BehindForm):
    # A figure of executions leads to all their calls.
    figures = tuple(name for name in FIGURES if name not in {*LETTERS, *ALERTS})
    agent = forms.ChoiceField(required=False)
    tool = forms.ChoiceField(required=False)
    verdict = forms.ChoiceField(choices=_words("verdict", VERDICTS), required=False)
    status = forms.ChoiceField(choices=_words("action", ActionStatus.values), required=False)
    tier = forms.ChoiceField(choices=_words("tier", TIERS), required=False)
    since = forms.ChoiceField(choices=SINCE, required=False, label="Proposed")
    q = _search()
    execution = forms.UUIDField(required=False, widget=forms.HiddenInput)
    unit = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def filters(self, now: datetime) -> ActionFilters:
        return ActionFilters(**self.chosen(now))


class LetterForm(BehindForm):
    figures = tuple(LETTERS)
    status = forms.ChoiceField(choices=_words("dead_letter", DeadLetterStatus.values), required=False)
    failure = forms.ChoiceField(choices=_words("failure", FAILURES), required=False)
    unit = forms.ChoiceField(required=False)
    owner = forms.ChoiceField(required=False)
    since = forms.ChoiceField(choices=SINCE, required=False, label="Last failed")
    q = _search()

    def filters(self, now: datetime) -> LetterFilters:
        return LetterFilters(**self.chosen(now))


class ReasonForm(forms.Form):
    """Why a person stops, discards or says something: read by the owner and by auditors."""

    reason = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept in the audit trail. The owner reads it.", error_messages={"required": "Say why."},
    )  # fmt: skip


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


class DaysForm(FilterForm):
    since = forms.DateField(required=False, label="From", widget=_day())
    until = forms.DateField(required=False, label="To", widget=_day())
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


class CloseForm(forms.Form):
    """Why calls may go out again."""

    reason = forms.CharField(
        min_length=10, max_length=1_000, label="How do you know that it answers again?",
        error_messages={"required": "Say how you know that it answers again."},
    )  # fmt: skip
