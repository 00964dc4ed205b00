"""Head-room: taken before something runs, used up by what it cost, given back when it ends. No budget: next to nothing.

A reservation belongs to a holder, the fence under which something runs, so whoever lost its lease cannot keep one.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from audit import events
from audit.actors import system
from audit.definitions import DefinitionStatus
from audit.glance import Glance
from audit.lifecycle import database_now, run
from audit.refusals import Refusal
from audit.sheets import plain
from audit.templatetags._format import counted_in
from budgets.models import Block, Budget, BudgetWindow, BusinessUnit, Reservation

BUDGETS = system("budgets")
LOOK_EVERY_SECONDS = 0.5


class Whose(NamedTuple):
    """What a budget may ask of an execution: its workflow, who asked for it, the digest of its release. Empty: nobody's."""

    workflow: str = ""
    requester: str = ""
    release: str = ""


NOBODY = Whose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Whose use it is, as budgets see it; `holder` is the fence it runs under."""

    unit_id: UUID
    workflow: str = ""
    agent: str = ""
    requester: str = ""
    # The digest of the release it runs under; "" where there is none.
    release: str = ""
    execution_id: UUID | None = None
    holder: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The most that something may use. None: nobody says; then a budget reserves what it assumes, unless told not to."""

    money: Decimal | None = None
    currency: str = ""
    tokens: int | None = None
    runs: int = 1
    assume: bool = True


class OverBudget(Refusal):
    """No room for the worst case. Nothing was sent; it fits when the window turns, others use less, or the limit rises."""

    code = "over_budget"

    def __init__(self, window: BudgetWindow, needed: Decimal, *, figures: bool = True) -> None:
        said = explanation(window, needed) if figures else outline(window)
        super().__init__(f"{said}.", remedy=_remedy(window))
        self.window, self.needed = window, needed
        if window.ends_at is not None:
            self.retry_after = max((window.ends_at - database_now()).total_seconds(), 1)

    @property
    def in_full(self) -> str:
        """For where nothing stands beside it: what is so, and what helps."""
        return f"{self.message} {self.remedy}"


def _any_budget() -> bool:
    return bool(Budget.objects.filter(status=DefinitionStatus.ACTIVE).exists() or Reservation.objects.exists())


# Whether there is any budget at all: who has none pays next to nothing.
anything_is_budgeted = Glance(_any_budget, every_seconds=LOOK_EVERY_SECONDS)


def reserve(spot: Spot, worst: Worst) -> bool:
    """Take room in every budget that covers the spot, or in none. True where it was asked for. Raises OverBudget."""
    if not anything_is_budgeted():
        return False
    rows = run(
        "SELECT window_id, needed FROM budget_reserve(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            spot.unit_id, spot.workflow, spot.agent, spot.requester, spot.holder, spot.execution_id,
            worst.money, worst.currency, worst.tokens, worst.runs, worst.assume,
            spot.release,
        ],
    )  # fmt: skip
    if rows:
        raise OverBudget(BudgetWindow.objects.get(pk=rows[0][0]), rows[0][1])
    return True


def spend(spot: Spot, *, money: Decimal | None, currency: str, tokens: int) -> None:
    """Count what was used, inside the transaction that writes its cost line. It is never refused: it happened."""
    if not anything_is_budgeted():
        return
    rows = run(
        "SELECT window_id, reached FROM budget_spend(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [spot.unit_id, spot.workflow, spot.agent, spot.requester, spot.holder, money, currency, tokens, spot.release],
    )
    _tell(rows)


def recount(spot: Spot, *, change: Decimal, currency: str, was_unknown: bool, written: datetime) -> None:
    """Count a correction of a line written then, inside the transaction that writes it."""
    if not anything_is_budgeted():
        return
    rows = run(
        "SELECT window_id, reached FROM budget_correct(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            spot.unit_id, spot.workflow, spot.agent, spot.requester, spot.release, change, currency, was_unknown, written,
        ],
    )  # fmt: skip
    _tell(rows)


def release(holder: UUID, *, ran: bool) -> bool:
    """Give back what the holder has left, inside the transaction that ends it. False where it held nothing."""
    if not anything_is_budgeted() or not Reservation.objects.filter(holder=holder).exists():
        return False
    with transaction.atomic(savepoint=False):
        _tell(run("SELECT window_id, reached FROM budget_release(%s, %s)", [holder, ran]))
    return True


def block(over: OverBudget, *, step_id: UUID, unit_id: UUID, execution_id: UUID) -> None:
    """The step waits for room, in turn with the others, inside the transaction that parks it."""
    Block.objects.update_or_create(
        pk=step_id,
        defaults={
            "window_id": over.window.pk,
            "unit_id": unit_id,
            "execution_id": execution_id,
            "needed": over.needed,
        },
    )


# Those who came first, as long as the room lasts: not all of them at once, to be refused again.
# Whom two people let go on over the limit waits for nothing, and takes nobody's place.
_HAVE_ROOM = """
SELECT id FROM (
  SELECT k.id, k.at, w.ends_at <= clock_timestamp() OR b.id IS NULL OR NOT b.is_hard OR k.is_free
    OR k.needed <= b."limit" AND sum(k.needed) FILTER (WHERE k.needed <= b."limit" AND NOT k.is_free)
      OVER (PARTITION BY k.window_id ORDER BY k.at, k.id) <= b."limit" - w.spent - w.reserved AS fits
  FROM (SELECT j.*, EXISTS (SELECT 1 FROM budgets_budgetexception AS e JOIN budgets_budgetwindow AS v ON v.budget = e.budget
    WHERE e.status = 'active' AND e.execution_id = j.execution_id AND v.id = j.window_id) AS is_free
    FROM budgets_block AS j) AS k
  JOIN budgets_budgetwindow AS w ON w.id = k.window_id
  LEFT JOIN budgets_budget AS b ON b.name = w.budget AND b.status = 'active'
) AS turn WHERE fits ORDER BY at, id LIMIT %s
"""


def have_room(most: int) -> list[UUID]:
    """The steps that need not wait any longer, in turn."""
    return [row[0] for row in run(_HAVE_ROOM, [most])]


def explanation(window: BudgetWindow, needed: Decimal) -> str:
    """Why it is blocked, and until when, in one sentence each."""
    holders = window.reservations.filter(amount__gt=0).count()
    by = f" by {holders} under way" if holders else ""
    parts = [
        f"The budget {window.budget} has no room: at most {_amount(needed, window)} needed, "
        f"{how_much_is_spent(window)}, {plain(window.reserved)} reserved{by}",
        _anew(window),
    ]
    if needed > window.limit:
        parts.append("Even unused it would have no room for this")
    return ". ".join(parts)


def outline(window: BudgetWindow) -> str:
    """What somebody may know of a budget whose unit they do not see: neither its name nor what others use there."""
    return f"A budget of a unit above has no room. {_anew(window)}"


def _anew(window: BudgetWindow) -> str:
    return "It never begins anew" if window.ends_at is None else f"It begins anew {_moment(window.ends_at)}"


def _remedy(window: BudgetWindow) -> str:
    owner = (
        window.unit_id
        and BusinessUnit.objects.filter(pk=window.unit_id).values_list("owner__username", flat=True).first()
    )
    asked = f" Ask {owner}, who owns the unit." if owner else ""
    return f"A higher limit, or an exception for this execution, is drafted by one administrator and activated by another.{asked}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _tell(rows: list[tuple[UUID, int]]) -> None:
    for window_id, reached in rows:
        window = BudgetWindow.objects.get(pk=window_id)
        for unit_id in told_units(window):
            events.record(
                "alert.budget", by=BUDGETS, stream=f"budget:{window.budget}", object_id=window.pk, unit_id=unit_id,
                why=f"Budget {window.budget}: {how_much_is_spent(window)}",
                data={"budget": window.budget, "percent": reached, "spent": f"{window.spent:f}", "limit": f"{window.limit:f}"},
            )  # fmt: skip


def how_much_is_spent(window: BudgetWindow) -> str:
    """So far, of the limit."""
    return f"{plain(window.spent)} of {_amount(window.limit, window)} spent"


def _amount(number: Decimal, window: BudgetWindow) -> str:
    return f"{plain(number)} {window.currency or counted_in(number, window.measure)}"


def told_units(window: BudgetWindow) -> list[UUID]:
    """Whom it concerns; one of every unit the units that stand below no other."""
    if window.unit_id:
        return [window.unit_id]
    return list(BusinessUnit.objects.filter(parent=None, status=DefinitionStatus.ACTIVE).values_list("pk", flat=True))
