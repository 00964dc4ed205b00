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
from budgets.models import Block, Budget, BudgetWindow, BusinessUnit, Period

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
    def begins(self) -> str:
        """Its window's first moment; empty where nothing has asked for it yet."""
        return self.window.starts_at.isoformat() if not self.window._state.adding else ""

    @property
    def measured_in(self) -> str:
        return self.budget.currency or self.budget.measure

    @property
    def covers(self) -> str:
        """In words, without the unit."""
        named = [("workflow", self.budget.workflow), ("agent", self.budget.agent), ("asked by", self.budget.requester)]
        return ", ".join(f"{what} {name}" for what, name in named if name) or "everything"

    @property
    def at_the_limit(self) -> str:
        return "work waits" if self.budget.is_hard else "only a warning"

    @property
    def period(self) -> str:
        return "for good" if self.budget.window == Period.ALWAYS else f"a {self.budget.window}"


def standings(actor: Actor) -> list[Standing]:
    """Those of the reader's units, what holds something up first; those of every unit for who sees every unit."""
    seen = scope.unit_ids(actor, "view")
    titles = dict(BusinessUnit.objects.filter(status=DefinitionStatus.ACTIVE).values_list("pk", "title"))
    own = Q(unit_id__in=seen) | (Q(unit_id=None) if titles.keys() <= seen else Q(pk__in=[]))
    budgets = list(Budget.objects.filter(own, status=DefinitionStatus.ACTIVE).order_by("name"))
    windows = _windows([budget.name for budget in budgets])
    found = [_standing(budget, titles, windows.get(budget.name)) for budget in budgets]
    return sorted(found, key=lambda one: (STATES.index(one.state), -one.used_percent))


def blocks(actor: Actor) -> list[Block]:
    """What waits for room in the reader's units, in turn."""
    rows = Block.objects.filter(unit_id__in=scope.unit_ids(actor, "view")).select_related("window")
    return list(rows.in_turn()[:100])


def _windows(names: list[str]) -> dict[str, Any]:
    rows = BudgetWindow.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()), budget__in=names, starts_at__lte=Now())
    waiting, held = Count("blocks", distinct=True), Count("reservations", distinct=True)
    return {row.budget: row for row in rows.annotate(waiting=waiting, held=held)}


def _standing(budget: Budget, titles: dict[UUID, str], window: Any) -> Standing:
    unit = titles.get(budget.unit_id, "?") if budget.unit_id else "Every business unit"
    if window is None:
        return Standing(budget, unit, BudgetWindow(budget=budget.name, spent=Decimal(0), reserved=Decimal(0)), 0, 0)
    return Standing(budget, unit, window, window.waiting, window.held)
