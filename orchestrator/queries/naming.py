"""One line for every kind of row the trail speaks of."""

from typing import Any
from uuid import UUID

from django.db.models import CharField, F, Model, Value
from django.db.models.functions import Cast, Concat, Right

from approvals.models import ApprovalRequest
from budgets.models import BudgetWindow
from orchestrator.models import Action, Alert, Attempt, DeadLetter, Execution, FailureGroup, Operation, Step

TEXT = CharField()
# Kind by kind, what its rows are called: an expression over its columns.
NAMES: dict[type[Model], Any] = {
    Step: Concat("key", Value(" of "), "execution__workflow"),
    Attempt: Concat(Value("Attempt "), Cast("number", TEXT), Value(" of "), "step__key"),
    Action: Concat("tool", Value(" "), "business_key", output_field=TEXT),
    ApprovalRequest: F("title"),
    DeadLetter: F("component"),
    FailureGroup: Concat("component", Value(" in "), "step_key", output_field=TEXT),
    Operation: Concat("act", Value(" "), Cast("size", TEXT), Value(" letters"), output_field=TEXT),
    Alert: F("title"),
    BudgetWindow: F("budget"),
    Execution: Concat("workflow", Value(" "), Right(Cast("id", TEXT), 8)),
}


def names(ids: frozenset[UUID]) -> dict[UUID, str]:
    """Names of those ids that are ours: one statement for all kinds, whatever their number."""
    rows = [
        model._default_manager.filter(pk__in=ids).annotate(called=Cast(called, TEXT)).values_list("pk", "called")
        for model, called in NAMES.items()
    ]
    return {pk: name.strip() for pk, name in rows[0].union(*rows[1:], all=True)}
