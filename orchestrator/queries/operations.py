"""One operation as a page: before the confirmation what would be done, afterwards what was seen of each letter."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Sum

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.queries import Keyset, Slice, Story, story, visible_or_refuse
from budgets.models import CostBasis, LedgerEntry
from orchestrator.engine.drives import NEXT, Tally, tally
from orchestrator.gate.doubt import doubt_of, versions_of
from orchestrator.models import Action, Attempt, DeadLetter, Operation, OperationItem
from orchestrator.operations.bulk_letters import must_type, needs_second
from orchestrator.operations.left_out import IN_DOUBT
from orchestrator.statuses import ItemStatus, OperationStatus, StepStatus

IN_ORDER = Keyset(("place", "id"))
ENDED = [ItemStatus.FIXED, ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.DISCARDED, ItemStatus.NOT_TRIED]
WAITS_FOR = {
    StepStatus.AWAITING_APPROVAL: "waits for people to decide",
    StepStatus.UNKNOWN_OUTCOME: "waits for somebody to say what happened",
    StepStatus.BUDGET_HOLD: "waits for budget",
    StepStatus.STOPPED: "waits for a stop to be lifted",
}


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One tool that the letters have called: what a redrive does with its idempotency keys."""

    tool: str
    kind: str
    sent: int
    in_doubt: int

    @property
    def meaning(self) -> str:
        return {
            "A": "honours its key: sent again under the same key it cannot act twice",
            "B": "asked by business key before anything is sent again; what cannot be looked up waits for a person",
            "C": "neither: what is in doubt waits for a person and is left out",
        }.get(self.kind, "its class is not known: it is treated like one that can be neither")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage with where its letters are."""

    label: str
    total: int
    fixed: int
    failed: int
    left: int
    current: bool


@dataclass(frozen=True, slots=True)
class OperationPage:
    operation: Operation
    counts: dict[str, int]
    stages: list[Stage]
    items: list[OperationItem]
    slice: Slice
    left_out: list[tuple[str, int]]
    failures: list[tuple[str, int]]
    samples: list[DeadLetter]
    keys: list[KeyStatus]
    cost: list[tuple[str, Decimal]] | None
    waits: list[tuple[str, int]]
    story: Story
    must_type: bool
    needs_second: bool
    may_operate: bool
    is_mine: bool

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def seen(self) -> int:
        """Letters of the set that have come to an end."""
        return sum(self.counts[status] for status in ENDED)

    @property
    def version(self) -> str:
        waits = ".".join(f"{words}{number}" for words, number in self.waits)
        return f"{self.operation.status}.{'.'.join(map(str, self.counts.values()))}.{waits}"


def operation_page(
    actor: Actor, operation_id: UUID, *, show: str = "", after: str = "", before: str = ""
) -> OperationPage:
    """Everything its page shows. `show` narrows the items to one status. Raises NotVisible."""
    rows = Operation.objects.visible_to(actor).select_related("group")
    operation: Operation = visible_or_refuse(rows, operation_id, "operation")
    counted, is_preview = tally(operation.pk), operation.status == OperationStatus.PREVIEWED
    counts = {str(status): counted.of(status) for status in ItemStatus.values}
    items = operation.items.select_related("letter", "letter__execution", "letter__step").defer(
        "letter__evidence", "letter__execution__input", "letter__step__input", "letter__step__output"
    )
    narrowed = items.filter(status=show) if show in ItemStatus.values else items
    found = IN_ORDER.slice(narrowed, after=after, before=before)
    return OperationPage(
        operation=operation,
        counts=counts,
        stages=_stages(operation, counted),
        items=found.rows,
        slice=found,
        left_out=_reasons(operation, ItemStatus.LEFT_OUT) if counts["left_out"] else [],
        failures=_reasons(operation, ItemStatus.FAILED, ItemStatus.REFUSED) if counts["failed"] or counts["refused"] else [],
        samples=_samples(operation) if is_preview else [],
        keys=_keys(operation) if is_preview else [],
        cost=_cost(operation) if is_preview else None,
        waits=_waits(operation) if counts["under_way"] else [],
        story=story([operation.stream], names={operation.pk: str(operation)}, objects=[operation.pk], limit=100),
        must_type=must_type(operation),
        needs_second=needs_second(operation),
        may_operate=operation.unit_id in scope.unit_ids(actor, "operate"),
        is_mine=operation.person_id == actor.user_id,
    )  # fmt: skip


def _stages(operation: Operation, counted: Tally) -> list[Stage]:
    found = []
    for number, label in ((1, "The first"), (2, f"The next {NEXT}"), (3, "The rest")):
        of = {status: counted.of(status, stage=number) for status in ItemStatus.values}
        total = sum(of.values())
        left = of[ItemStatus.WAITING] + of[ItemStatus.UNDER_WAY]
        done = of[ItemStatus.FIXED] + of[ItemStatus.DISCARDED]
        if total:
            now = counted.stage == number and operation.is_live
            found.append(Stage(label, total, done, total - left - done, left, now))
    return found


def _reasons(operation: Operation, *statuses: str) -> list[tuple[str, int]]:
    rows = operation.items.filter(status__in=statuses).order_by().values_list("why").annotate(n=Count("id"))
    return [(why, number) for why, number in rows.order_by("-n", "why")[:20]]


def _samples(operation: Operation) -> list[DeadLetter]:
    return list(
        DeadLetter.objects.filter(pk__in=operation.samples).select_related("execution", "step").defer("evidence")
    )


def _steps(operation: Operation) -> Any:
    return operation.items.exclude(status=ItemStatus.LEFT_OUT).values("letter__step_id")


def _keys(operation: Operation) -> list[KeyStatus]:
    """What the steps have called so far, tool by tool. What is in doubt is of the class it will be treated by."""
    rows = Action.objects.filter(step_id__in=operation.items.values("letter__step_id")).order_by()
    counted = list(rows.values_list("tool", "tool_version", "status").annotate(n=Count("id")))
    sent: Counter[str] = Counter()
    doubt: Counter[str] = Counter()
    called = {tool for tool, *_ in counted} | {operation.group.component}
    versions = versions_of(called)
    kinds = {tool.name: tool.idempotency_class for tool in versions if tool.status == DefinitionStatus.ACTIVE}
    for tool, version, status, number in counted:
        sent[tool] += number
        if status in IN_DOUBT:
            doubt[tool] += number
            treated = doubt_of(Action(tool=tool, tool_version=version), versions).letter
            kinds[tool] = max(kinds.get(tool, ""), treated)
    return [
        KeyStatus(tool, kinds.get(tool, ""), sent[tool], doubt[tool])
        for tool in sorted(called & (set(sent) | set(kinds)))
    ]


def _cost(operation: Operation) -> list[tuple[str, Decimal]] | None:
    """What one attempt has cost so far, times the letters. None: nobody has said, which is not zero."""
    executions = operation.items.exclude(status=ItemStatus.LEFT_OUT).values("letter__execution_id")
    attempts = Attempt.objects.filter(step_id__in=_steps(operation)).count()
    lines = LedgerEntry.objects.filter(execution_id__in=executions, amount__isnull=False).exclude(
        basis=CostBasis.UNKNOWN
    )
    about = operation.group.component
    mine = (lines.filter(tool=about) | lines.filter(agent=about)).order_by()
    sums = mine.values_list("currency").annotate(total=Sum("amount"))
    return [(currency, total / attempts * operation.size) for currency, total in sums] if attempts and sums else None


def _waits(operation: Operation) -> list[tuple[str, int]]:
    """What people have to do before the letters that are under way come back."""
    rows = operation.items.filter(status=ItemStatus.UNDER_WAY, letter__step__status__in=WAITS_FOR).order_by()
    found = rows.values_list("letter__step__status").annotate(n=Count("id"))
    return [(WAITS_FOR[StepStatus(status)], number) for status, number in found]
