"""One bulk operation as a page: what was frozen, what the act would do, and what became of each item."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from approvals import snapshots
from approvals.models import BulkAct, BulkItem, BulkOperation, Outcome
from approvals.queries.queue import effect_of
from approvals.snapshots import Value
from approvals.statuses import BulkStatus
from audit import scope
from audit.actors import Actor
from audit.queries import visible_or_refuse
from budgets.permissions import people_with


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One item. `arguments` are read from the frozen request where the act is to sign it."""

    item: BulkItem
    arguments: list[Value]

    @property
    def effect(self) -> str:
        return effect_of(self.item.request)

    @property
    def changed(self) -> bool:
        return (self.item.request.digest, self.item.request.revision) != (self.item.digest, self.item.revision)


@dataclass(frozen=True, slots=True)
class BulkPage:
    operation: BulkOperation
    rows: list[BulkRow]
    counts: dict[str, int]

    @property
    def is_preview(self) -> bool:
        return bool(self.operation.status == BulkStatus.PREVIEWED)

    @property
    def open(self) -> int:
        """Items that a confirmation would try."""
        return self.counts[""]

    @property
    def left_out(self) -> int:
        return self.counts[Outcome.LEFT_OUT]


def bulk_page(actor: Actor, operation_id: UUID) -> BulkPage:
    """A person's own bulk operation, without what they may no longer see. Raises NotVisible for everybody else's."""
    own = BulkOperation.objects.filter(person_id=actor.user_id)
    operation: BulkOperation = visible_or_refuse(own, operation_id, "bulk operation")
    seen = operation.items.filter(request__unit_id__in=scope.unit_ids(actor, "view"))
    items = list(seen.select_related("request").order_by("place"))
    signing = operation.act == BulkAct.APPROVE
    rows = [BulkRow(item, snapshots.read(item.request.snapshot).arguments if signing else []) for item in items]
    counts = Counter(item.outcome for item in items)
    return BulkPage(operation, rows, {name: counts[name] for name in ["", *Outcome.values]})


def assignable(page: BulkPage) -> set[int]:
    """People who review in every unit these items are of."""
    units = {row.item.request.unit_id for row in page.rows}
    found = [people_with("review", unit) for unit in units]
    return set.intersection(*found) if found else set()
