"""Business units, prices and the append-only ledger. Executions are opaque ids here."""

from budgets.models.exceptions import BudgetException
from budgets.models.ledger import CostBasis, LedgerEntry, LedgerEntryQuerySet, LineKind
from budgets.models.limits import Block, Budget, BudgetDay, BudgetWindow, Measure, Period, Reservation
from budgets.models.prices import Price, PriceKind
from budgets.models.units import BusinessUnit, UnitGroupPermission, UnitUserPermission

__all__ = [
    "Block",
    "Budget",
    "BudgetDay",
    "BudgetException",
    "BudgetWindow",
    "BusinessUnit",
    "CostBasis",
    "LedgerEntry",
    "LedgerEntryQuerySet",
    "LineKind",
    "Measure",
    "Period",
    "Price",
    "PriceKind",
    "Reservation",
    "UnitGroupPermission",
    "UnitUserPermission",
]
