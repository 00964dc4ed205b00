"""Verbs on money: a cost line is written, or corrected by another line. What a line costs counts in the budgets that cover it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from audit import events
from audit.actors import Actor
from audit.lifecycle import database_now
from audit.refusals import Invalid, Stale
from budgets.models import CostBasis, LedgerEntry, LineKind
from budgets.money import to_ledger
from budgets.pricing import Costed, Usage, cost_of_call, cost_of_review, cost_of_tool_call
from budgets.reserving import NOBODY, Spot, Whose, recount, spend


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a cost belongs. Executions and actions are opaque ids here."""

    unit_id: UUID
    execution_id: UUID | None = None
    action_id: UUID | None = None
    span_id: UUID | None = None
    agent: str = ""
    tool: str = ""
    # Not kept with the line: for the budgets that cover it, and the fence under which room was reserved for it.
    workflow: str = ""
    requester: str = ""
    release: str = ""
    holder: UUID | None = None

    @property
    def spot(self) -> Spot:
        """The same, as budgets see it."""
        return Spot(
            unit_id=self.unit_id,
            workflow=self.workflow,
            agent=self.agent,
            requester=self.requester,
            release=self.release,
            execution_id=self.execution_id,
            holder=self.holder,
        )


def charge(usage: Usage, place: Place) -> LedgerEntry | None:
    """Append the cost line of one model call; None when it used nothing worth a line."""
    if usage.is_empty:
        return None
    return _append(LineKind.MODEL, cost_of_call(usage, unit_id=place.unit_id), place, **_used(usage))


def import_call(usage: Usage, place: Place, *, at: datetime) -> LedgerEntry | None:
    """Append the cost line of a call that was made earlier, on its day and at the prices of then. It counts in no budget.

    Raises Invalid for a call of the future.
    """
    if at > database_now():
        raise Invalid(
            "A call that was not made yet costs nothing.", errors=[("/at", "future", "Use a time that is over.")]
        )
    if usage.is_empty:
        return None
    costed = cost_of_call(usage, unit_id=place.unit_id, at=at)
    return _line(LineKind.MODEL, costed, place, at=at, **_used(usage))


def _used(usage: Usage) -> dict[str, Any]:
    names = (
        "model", "provider", "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens",
        "reasoning_tokens", "is_batch", "call",
    )  # fmt: skip
    return {name: getattr(usage, name) for name in names}


def charge_tool_call(place: Place) -> LedgerEntry | None:
    """Append what a call of this tool costs by contract, whatever became of it; None where no price was entered."""
    costed = cost_of_tool_call(place.tool, unit_id=place.unit_id)
    return None if costed is None else _append(LineKind.TOOL, costed, place)


def charge_review(seconds: int, place: Place) -> LedgerEntry | None:
    """Append what people's reading and deciding cost; None where no price was entered. It names nobody."""
    costed = cost_of_review(seconds, unit_id=place.unit_id)
    return None if costed is None else _append(LineKind.REVIEW, costed, place, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Correction:
    """What a line says before and after. `before` is None while nobody knows what it cost."""

    before: Decimal | None
    after: Decimal
    currency: str

    @property
    def change(self) -> Decimal:
        return self.after - (self.before or Decimal(0))


def present(entry: LedgerEntry) -> tuple[Decimal | None, str, int]:
    """What a line comes to with its corrections, in which currency, and how many there are."""
    lines = [entry, *entry.corrections.all()]
    known = [line for line in lines if line.amount is not None]
    # Of a line of unknown cost the first correction says the currency, and every later one keeps it.
    currency = known[0].currency if known else ""
    return (sum((line.amount for line in known), Decimal(0)) if known else None), currency, len(lines) - 1


def planned(entry: LedgerEntry, *, to: Decimal, currency: str = "") -> Correction:
    """What correcting a line to this amount would write. Nothing is written.

    Raises Invalid for a correction of a correction, a line that was corrected to nothing, a changed or missing currency,
    an amount below nothing or with more places than the ledger has, and one that changes nothing.
    """
    if entry.kind == LineKind.CORRECTION:
        raise Invalid("A correction is corrected by correcting its line again.", errors=[("/entry", "correction", "")])
    before, held, corrections = present(entry)
    if corrections and not before:
        raise Invalid(
            "This line was corrected away: it counts as nothing, for good.",
            errors=[("/entry", "corrected_away", "")], remedy="What was used after all is reported anew.",
        )  # fmt: skip
    if not (currency or held) or (held and currency not in ("", held)):
        raise Invalid(
            "Currencies are never mixed.",
            errors=[("/currency", "currency", f"This line is in {held}." if held else "Write the ISO 4217 code: EUR.")],
        )
    if to < 0 or to != to_ledger(to):
        raise Invalid(
            "That is no amount.", errors=[("/to", "amount", "Not below nothing, and ten decimal places at most.")]
        )
    if to == before:
        raise Invalid("That is what the ledger says already.", errors=[("/to", "unchanged", "Nothing was written.")])
    return Correction(before, to, currency or held)


@transaction.atomic
def correct(
    entry: LedgerEntry, *, to: Decimal, why: str, by: Actor, currency: str = "", whose: Whose = NOBODY,
    read: int | None = None,
) -> LedgerEntry:  # fmt: skip
    """Append the difference to what it should have been; it counts in the budgets of `whose` now. The line stays as it is.

    `read` is how many corrections the person had seen. Raises Stale where there are others by now; Invalid without a reason
    and as `planned` does.
    """
    entry = LedgerEntry.objects.select_for_update(of=("self",)).get(pk=entry.pk)
    if read is not None and entry.corrections.count() != read:
        raise Stale("Somebody has corrected this line since you opened it. Nothing was written.")
    if not why.strip():
        raise Invalid("Say why the line was wrong.", errors=[("/why", "required", "The ledger keeps it for good.")])
    plan = planned(entry, to=to, currency=currency)
    costed = Costed(plan.change, plan.currency, CostBasis.REPORTED, why=why.strip())
    place = Place(
        unit_id=entry.unit_id, execution_id=entry.execution_id, action_id=entry.action_id, span_id=entry.span_id,
        agent=entry.agent, tool=entry.tool, **whose._asdict(),
    )  # fmt: skip
    line = _line(LineKind.CORRECTION, costed, place, corrects=entry, model=entry.model, provider=entry.provider)
    recount(
        place.spot, change=plan.change, currency=plan.currency, was_unknown=plan.before is None, written=entry.at
    )  # fmt: skip
    events.record(
        "ledger.corrected", by=by, stream=f"ledger:{entry.pk}", object_id=line.pk, unit_id=entry.unit_id, why=why.strip(),
        data={"line": str(entry.pk), "change": f"{plan.change:f}", "currency": plan.currency},
    )  # fmt: skip
    return line


def spent(execution_id: UUID) -> list[Usage]:
    """Every cost line of one execution so far. One that was unknown and is corrected costs what its correction says."""
    lines = LedgerEntry.objects.filter(execution_id=execution_id)
    corrected = {line.corrects_id: line.currency for line in lines if line.corrects_id}
    return [
        Usage(
            cost=Decimal(0) if line.amount is None and line.pk in corrected else line.amount,
            currency=corrected.get(line.pk, line.currency) if line.amount is None else line.currency,
            input_tokens=line.input_tokens,
            output_tokens=line.output_tokens,
        )
        for line in lines
    ]


@transaction.atomic(savepoint=False)
def _append(kind: LineKind, costed: Costed, place: Place, **used: Any) -> LedgerEntry:
    line = _line(kind, costed, place, **used)
    tokens = used.get("input_tokens", 0) + used.get("output_tokens", 0)
    spend(place.spot, money=costed.amount, currency=costed.currency, tokens=tokens)
    return line


def _line(kind: LineKind, costed: Costed, place: Place, **used: Any) -> LedgerEntry:
    line: LedgerEntry = LedgerEntry.objects.create(
        kind=kind,
        unit_id=place.unit_id,
        execution_id=place.execution_id,
        action_id=place.action_id,
        span_id=place.span_id,
        agent=place.agent,
        tool=place.tool,
        amount=costed.amount,
        currency=costed.currency,
        basis=costed.basis,
        rates=costed.rates,
        priced_by=costed.priced_by,
        why=costed.why,
        **used,
    )
    return line
