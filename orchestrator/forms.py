"""What people type into the pages of executions, actions and dead letters."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms

from approvals.models import StopScope
from approvals.stops import SHORTEST_REASON_TO_LIFT, Target
from audit.templatetags._status import pill
from orchestrator.queries.actions import ActionFilters
from orchestrator.queries.dead_letters import LetterFilters
from orchestrator.queries.executions import ExecutionFilters
from orchestrator.queries.stops import EVERY_UNIT
from orchestrator.statuses import ActionStatus, DeadLetterStatus, ExecutionStatus

SINCE = [("", "Any time"), ("1", "Last hour"), ("24", "Last 24 hours"), ("168", "Last 7 days")]
TIERS = ["informational", "customer_facing", "financial"]
VERDICTS = ["allow", "hold", "deny"]
FAILURES = ["system", "timeout", "unknown_outcome", "lost", "empty_result", "budget", "policy", "determinism", "bug"]


def _words(domain: str, values: list[str]) -> list[tuple[str, str]]:
    """Any, and each value in the words of the badge that the rows show."""
    return [("", "Any"), *((value, pill(domain, value).word) for value in values)]


def _search() -> forms.CharField:
    box = forms.TextInput(attrs={"type": "search"})
    return forms.CharField(required=False, max_length=200, label="Text", widget=box)


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


class ExecutionForm(FilterForm):
    state = forms.ChoiceField(choices=_words("execution", ExecutionStatus.values), required=False)
    workflow = forms.ChoiceField(required=False)
    unit = forms.ChoiceField(required=False)
    since = forms.ChoiceField(choices=SINCE, required=False, label="Started")
    q = _search()

    def filters(self, now: datetime) -> ExecutionFilters:
        return ExecutionFilters(**self.chosen(now))


class ActionForm(FilterForm):
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


class LetterForm(FilterForm):
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


class AnswerForm(forms.Form):
    """What became of a send that nobody can look up."""

    verdict = forms.ChoiceField(
        choices=[
            ("happened", "It happened"),
            ("did_not", "It did not happen, so it may be sent again under the same key"),
            ("cannot_tell", "I cannot tell; leave it open"),
        ],
        widget=forms.RadioSelect, label="What did you find?", error_messages={"required": "Choose one answer."},
    )  # fmt: skip
    note = forms.CharField(
        max_length=1_000, widget=forms.Textarea(attrs={"rows": 3}), label="How do you know?",
        help_text="For example the number of the entry you found.", error_messages={"required": "Say how you know."},
    )  # fmt: skip
