"""One cost line with everything that corrects it, or the line that it corrects."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from audit.actors import Actor
from audit.models import AuditEvent, Span
from audit.queries import visible_or_refuse
from audit.refusals import Forbidden
from budgets.models import BusinessUnit, LedgerEntry, LineKind
from budgets.operations import present
from orchestrator.operations.corrections import refuse_correcting


@dataclass(frozen=True, slots=True)
class LinePage:
    """The line, what it comes to now, its corrections in the order they were written, and why the reader cannot correct it."""

    line: LedgerEntry
    unit: str
    amount: Decimal | None
    currency: str
    corrections: list[tuple[LedgerEntry, str]]
    why_not: str
    # Of a line of a reported span: its trace; None where that has been removed since.
    trace_id: UUID | None

    @property
    def read(self) -> int:
        return len(self.corrections)


def line_page(actor: Actor, pk: UUID) -> LinePage:
    """Raises NotVisible."""
    rows = LedgerEntry.objects.visible_to(actor).select_related("corrects")
    line: LedgerEntry = visible_or_refuse(rows, pk, "cost line")
    amount, currency, _ = present(line)
    corrections = list(line.corrections.order_by("at", "id"))
    wrote = AuditEvent.objects.filter(object_id__in=[one.pk for one in corrections], event="ledger.corrected")
    by = dict(wrote.values_list("object_id", "actor_name"))
    return LinePage(
        line=line,
        unit=BusinessUnit.objects.values_list("title", flat=True).get(pk=line.unit_id),
        amount=amount,
        currency=currency,
        corrections=[(one, by.get(one.pk, "")) for one in corrections],
        why_not=_why_not(line, actor, amount, len(corrections)),
        trace_id=Span.objects.filter(pk=line.span_id).values_list("trace_id", flat=True).first()
        if line.span_id
        else None,
    )


def _why_not(line: LedgerEntry, actor: Actor, amount: Decimal | None, corrections: int) -> str:
    if line.kind == LineKind.CORRECTION:
        return "It is a correction itself: correct its line again."
    if corrections and not amount:
        return "It was corrected away, and counts as nothing for good."
    try:
        refuse_correcting(line, actor)
    except Forbidden as refusal:
        return f"{refusal.message} {refusal.remedy}"
    return ""
