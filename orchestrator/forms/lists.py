"""The filter bars of executions, traces, actions and dead letters."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import forms

from approvals.rules.policies import TIERS
from audit.filter_forms import search
from orchestrator.forms.base import LATEST, SINCE, BehindForm, day_field, midnight, words
from orchestrator.models.action import UNREPORTED
from orchestrator.queries.actions import ActionFilters
from orchestrator.queries.behind import ALERTS, CALLS, DOUBTS, FIGURES, LETTERS, REFUSED
from orchestrator.queries.dead_letters import LetterFilters
from orchestrator.queries.executions import WAITING_FOR, ExecutionFilters
from orchestrator.queries.trace_conditions import ANY
from orchestrator.queries.trace_search import TraceFilters
from orchestrator.statuses import ActionStatus, DeadLetterStatus, ExecutionStatus
from orchestrator.workflows.retry_fields import NEVER_RETRIED, RETRIABLE

WAITS = [("", "Any"), *((status.value, word.capitalize()) for status, word in WAITING_FOR.items())]
VERDICTS = ["allow", "hold", "deny"]
FAILURES = [*RETRIABLE, *NEVER_RETRIED]
# A business error ends its execution and leaves no letter.
IN_LETTERS = [name for name in FAILURES if name != "business"]


class ExecutionForm(BehindForm):
    figures = tuple(name for name in FIGURES if name not in {*CALLS, *DOUBTS, *LETTERS, *ALERTS, *REFUSED})
    state = forms.ChoiceField(choices=words("execution", ExecutionStatus.values), required=False)
    workflow = forms.ChoiceField(required=False)
    unit = forms.ChoiceField(required=False)
    waits = forms.ChoiceField(choices=WAITS, required=False, label="Waits for")
    since = forms.ChoiceField(choices=SINCE, required=False, label="Started")
    q = search()

    def filters(self, now: datetime) -> ExecutionFilters:
        return ExecutionFilters(**self.chosen(now))


SLOWER = [("", "Any"), ("1", "1 s"), ("10", "10 s"), ("60", "1 min"), ("3600", "1 h")]
COSTS = [("", "Any"), *((amount, amount) for amount in ("0.01", "0.10", "1", "10", "100"))]
ERRORS = [*words("failure", FAILURES)]
ERRORS.insert(1, (ANY, "Any error"))


class TraceForm(ExecutionForm):
    agent = forms.ChoiceField(required=False)
    tool = forms.ChoiceField(required=False)
    error = forms.ChoiceField(choices=ERRORS, required=False)
    slower = forms.ChoiceField(choices=SLOWER, required=False, label="Slower than")
    cost = forms.ChoiceField(choices=COSTS, required=False, label="Cost at least")
    begun_from = forms.DateField(required=False, label="From", widget=day_field())
    begun_until = forms.DateField(required=False, label="To", widget=day_field())
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
    verdict = forms.ChoiceField(choices=words("verdict", VERDICTS), required=False)
    status = forms.ChoiceField(choices=words("action", [*ActionStatus.values, UNREPORTED]), required=False)
    tier = forms.ChoiceField(choices=words("tier", [*TIERS]), required=False)
    since = forms.ChoiceField(choices=SINCE, required=False, label="Proposed")
    q = search()
    execution = forms.UUIDField(required=False, widget=forms.HiddenInput)
    unit = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def filters(self, now: datetime) -> ActionFilters:
        return ActionFilters(**self.chosen(now))


class LetterForm(BehindForm):
    figures = tuple(LETTERS)
    status = forms.ChoiceField(choices=words("dead_letter", DeadLetterStatus.values), required=False)
    failure = forms.ChoiceField(choices=words("failure", IN_LETTERS), required=False)
    unit = forms.ChoiceField(required=False)
    owner = forms.ChoiceField(required=False)
    since = forms.ChoiceField(choices=SINCE, required=False, label="Last failed")
    q = search()

    def filters(self, now: datetime) -> LetterFilters:
        return LetterFilters(**self.chosen(now))
