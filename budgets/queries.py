"""Budgets as they stand now, for the page, the sheet and the API: the same rows for all three."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.db.models.functions import Now

from audit import scope
from audit.actors import Actor
from audit.definitions import DefinitionStatus
from audit.models import AuditEvent
from audit.queries import visible_or_refuse
from budgets.models import Block, Budget, BudgetException, BudgetWindow, BusinessUnit, Period
from budgets.units import below, lineage

STATES = ("Frozen", "Over", "At risk", "Inside")


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget in force and its window of now; where nothing has asked for it yet, an empty one."""

    budget: Budget
    unit: str
    window: BudgetWindow
    waiting: int
    under_way: int

    @property
    def used_percent(self) -> Decimal:
        """Spent and reserved, of the limit."""
        return ((self.window.spent + self.window.reserved) * 100 / self.budget.limit).quantize(Decimal("0.1"))

    @property
    def state(self) -> str:
        """Frozen: something waits for it. Over: the limit is spent. At risk: the first threshold is reached."""
        if self.waiting:
            return "Frozen"
        if self.window.spent >= self.budget.limit:
            return "Over"
        return "At risk" if self.used_percent >= min(self.budget.thresholds, default=100) else "Inside"

    @property
    def bar(self) -> "Bar":
        return Bar.of(self.window.spent, self.window.reserved, self.budget.limit)

    @property
    def begins(self) -> str:
        """Its window's first moment; empty where nothing has asked for it yet."""
        return self.window.starts_at.isoformat() if not self.window._state.adding else ""

    @property
    def measured_in(self) -> str:
        return self.budget.currency or self.budget.measure

    @property
    def covers(self) -> str:
        """In words, without the unit."""
        named = [
            ("workflow", self.budget.workflow), ("agent", self.budget.agent), ("asked by", self.budget.requester),
            ("release", self.budget.release[:8]),
        ]  # fmt: skip
        return ", ".join(f"{what} {name}" for what, name in named if name) or "everything"

    @property
    def at_the_limit(self) -> str:
        return "work waits" if self.budget.is_hard else "only a warning"

    @property
    def period(self) -> str:
        return "for good" if self.budget.window == Period.ALWAYS else f"a {self.budget.window}"


@dataclass(frozen=True, slots=True)
class Bar:
    """Lengths in per cent of the picture: what is used up, what is reserved, where the limit is. A refund draws nothing."""

    spent: Decimal
    reserved: Decimal
    limit: Decimal

    @classmethod
    def of(cls, spent: Decimal, reserved: Decimal, limit: Decimal) -> "Bar":
        used = max(spent, Decimal(0))
        whole = max(limit, used + reserved)
        return cls(*((part * 100 / whole).quantize(Decimal("0.1")) for part in (used, reserved, limit)))


def standings(actor: Actor) -> list[Standing]:
    """Those of the reader's units, what holds something up first; those of every unit for who sees every unit."""
    seen = scope.unit_ids(actor, "view")
    # A retired unit keeps its name: what began in it goes on, and its budgets with it.
    titles = dict(BusinessUnit.objects.values_list("pk", "title"))
    own = Q(unit_id__in=seen) | (Q(unit_id=None) if scope.sees_every_unit(actor) else Q(pk__in=[]))
    budgets = list(Budget.objects.filter(own, status=DefinitionStatus.ACTIVE).order_by("name"))
    windows = _windows([budget.name for budget in budgets])
    found = [_standing(budget, titles, windows.get(budget.name)) for budget in budgets]
    return sorted(found, key=lambda one: (STATES.index(one.state), -one.used_percent))


@dataclass(frozen=True, slots=True)
class LetThrough:
    """Two people let an execution go on over a budget, as the trail tells it: who they were then, and when."""

    exception: BudgetException
    drafted: AuditEvent
    activated: AuditEvent


def let_through(execution_id: UUID) -> list[LetThrough]:
    """Over which budgets, the first one first. One that has ended since let it through all the same."""
    rows = list(BudgetException.objects.filter(execution_id=execution_id, activated_at__isnull=False))
    told = AuditEvent.objects.filter(stream__in=[row.stream for row in rows]).oldest_first() if rows else []
    last = {(event.object_id, event.event.removeprefix("budget_exception.")): event for event in told}
    found = [
        LetThrough(row, last.get((row.pk, "edited")) or last[row.pk, "draft"], last[row.pk, "active"]) for row in rows
    ]
    return sorted(found, key=lambda one: one.activated.at)


def is_shown(window: BudgetWindow, actor: Actor) -> bool:
    """Whether the reader finds the window's budget among the standings."""
    if window.unit_id:
        return window.unit_id in scope.unit_ids(actor, "view")
    return scope.sees_every_unit(actor)


def blocks(actor: Actor, within: frozenset[UUID] | None = None) -> list[Block]:
    """What waits for room in the reader's units, or in those of them that are within these, in turn."""
    seen = scope.unit_ids(actor, "view")
    rows = Block.objects.filter(unit_id__in=seen if within is None else seen & within).select_related("window")
    return list(rows.in_turn()[:100])


@dataclass(frozen=True, slots=True)
class UnitBudgets:
    """What covers a unit, all of which must have room; what is below it; what waits in it or below."""

    unit: BusinessUnit
    covering: list[Standing]
    inside: list[Standing]
    blocks: list[Block]


def of_unit(actor: Actor, unit_id: UUID) -> UnitBudgets:
    """The budgets of one unit, as far as the reader sees them. Raises NotVisible."""
    seen = BusinessUnit.objects.filter(pk__in=scope.unit_ids(actor, "view"))
    unit: BusinessUnit = visible_or_refuse(seen, unit_id, "business unit")
    above, under = {None, *lineage(unit_id)}, below(unit_id) - {unit_id}
    found = standings(actor)
    return UnitBudgets(
        unit=unit,
        covering=[one for one in found if one.budget.unit_id in above],
        inside=[one for one in found if one.budget.unit_id in under],
        blocks=blocks(actor, under | {unit_id}),
    )


def _windows(names: list[str]) -> dict[str, Any]:
    rows = BudgetWindow.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()), budget__in=names, starts_at__lte=Now())
    waiting, held = Count("blocks", distinct=True), Count("reservations", distinct=True)
    return {row.budget: row for row in rows.annotate(waiting=waiting, held=held)}


def _standing(budget: Budget, titles: dict[UUID, str], window: Any) -> Standing:
    unit = titles.get(budget.unit_id, "?") if budget.unit_id else "Every business unit"
    if window is None:
        return Standing(budget, unit, BudgetWindow(budget=budget.name, spent=Decimal(0), reserved=Decimal(0)), 0, 0)
    return Standing(budget, unit, window, window.waiting, window.held)
