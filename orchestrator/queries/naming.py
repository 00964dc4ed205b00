"""One line for every kind of row the trail speaks of."""

from uuid import UUID

from approvals.models import ApprovalRequest
from orchestrator.models import Action, Attempt, DeadLetter, Execution, Step


def names(ids: frozenset[UUID]) -> dict[UUID, str]:
    """Names of those ids that are ours; one short statement a kind, whatever their number."""
    found: dict[UUID, str] = {}
    for pk, key, workflow in Step.objects.filter(pk__in=ids).values_list("pk", "key", "execution__workflow"):
        found[pk] = f"{key} of {workflow}"
    for pk, number, key in Attempt.objects.filter(pk__in=ids).values_list("pk", "number", "step__key"):
        found[pk] = f"Attempt {number} of {key}"
    for pk, tool, key in Action.objects.filter(pk__in=ids).values_list("pk", "tool", "business_key"):
        found[pk] = f"{tool} {key}".strip()
    found |= dict(ApprovalRequest.objects.filter(pk__in=ids).values_list("pk", "title"))
    found |= dict(DeadLetter.objects.filter(pk__in=ids).values_list("pk", "component"))
    for pk, workflow in Execution.objects.filter(pk__in=ids).values_list("pk", "workflow"):
        found[pk] = f"{workflow} {str(pk)[-8:]}"
    return found
