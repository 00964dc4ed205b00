"""A person corrects a cost line. Not here: what a correction is, and what it refuses about amounts (budgets.operations)."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from audit import people
from audit.actors import Actor
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden
from budgets import operations as budgets
from budgets.models import LedgerEntry
from budgets.permissions import may_correct
from budgets.reserving import Whose
from orchestrator.gate.budgeting import run_of
from orchestrator.models import Action, Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person typed: what the line really cost, and why. `read` is how many corrections they had seen."""

    to: Decimal
    why: str
    currency: str = ""
    read: int | None = None


def to_correct(line_id: UUID, by: Actor) -> LedgerEntry:
    """The line, for whoever may correct it. Raises NotVisible, Forbidden."""
    line: LedgerEntry = visible_or_refuse(LedgerEntry.objects.visible_to(by), line_id, "cost line")
    refuse_correcting(line, by)
    return line


def refuse_correcting(line: LedgerEntry, by: Actor) -> None:
    """Less spent is more room in a budget, so nobody makes their own work cheaper. Raises Forbidden."""
    if not may_correct(by):
        raise Forbidden(
            "Correcting a cost line takes a permission that you do not have.", code="no_corrector",
            remedy="An administrator gives it in the admin: “Can add ledger entry”.",
        )  # fmt: skip
    asked = Execution.objects.filter(requester__in=people.keys_of(by))
    if line.execution_id is not None and asked.filter(pk=line.execution_id).exists():
        raise Forbidden(
            "You asked for this execution, so somebody else corrects what it cost.", code="own_cost",
            remedy="Ask another person who may correct cost lines.",
        )  # fmt: skip


@transaction.atomic
def correct(*, line_id: UUID, wanted: Wanted, by: Actor) -> LedgerEntry:
    """Write what the line should have been as a line of its own. Raises NotVisible, Forbidden, Stale, Invalid."""
    line = to_correct(line_id, by)
    return budgets.correct(
        line, to=wanted.to, why=wanted.why, by=by, currency=wanted.currency, read=wanted.read,
        whose=_whose(line),
    )  # fmt: skip


def _whose(line: LedgerEntry) -> Whose:
    """Whose budgets it was counted in: of a call, those of whoever asked for the call."""
    run = run_of(line.execution_id, line.unit_id)
    asked = (
        Action.objects.filter(pk=line.action_id).values_list("requester", flat=True).first() if line.action_id else None
    )
    return run if asked is None else run._replace(requester=asked)
