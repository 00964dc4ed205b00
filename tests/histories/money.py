"""What can happen to the books of a drawn history: lines of every kind, corrections, folding, other units, people who leave."""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.test import override_settings

from approvals.models import ApprovalRequest
from approvals.operations import delegations, emergencies
from audit.actors import Actor, agent
from audit.definitions import activate, draft, retire
from audit.lifecycle import database_now
from budgets.models import Block, Budget, BudgetException, BusinessUnit, LedgerEntry, Price
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.engine.retention import Forgetting
from orchestrator.engine.sums import rollups
from orchestrator.gate.budgeting import run_of
from orchestrator.models import Execution
from orchestrator.operations import corrections, executions, spans
from orchestrator.operations.corrections import Wanted
from orchestrator.telemetry.reading import Reported
from tests import signing
from tests import worlds as make
from tests.engine.driving import _run

if TYPE_CHECKING:
    from tests.histories.acts import Site

MONEY = {
    "usage": 4, "spans": 6, "correct": 6, "price": 2, "fold": 5, "rebuild": 1,
    "start_below": 3, "end_below": 1, "break_glass": 3, "lend": 2, "leave": 2, "return": 3,
    "monthly": 4, "midnight": 4, "let_through": 3, "forget": 3, "spans_again": 3,
}  # fmt: skip
USED = (
    Usage(model="m-2", input_tokens=7, cost=Decimal("0.0300000001"), currency="EUR"),
    Usage(model="m-3", input_tokens=5, output_tokens=2),
    Usage(model="m-2", output_tokens=3, cost=Decimal("0.5"), currency="USD"),
    Usage(model="m-2", cost=Decimal(0), currency="EUR"),
)
TO = ("0", "0.1", "0.0300000001", "2")


class Money:
    """A part of the site of a history."""

    def _usage(self: "Site", number: int) -> bool:
        """Reported by a foreign agent, for an execution or for none."""
        run = _one(Execution.objects.order_by("pk"), number) if number % 3 else None
        unit_id = run.unit_id if run else self.world.unit.pk
        whose = run_of(run and run.pk, unit_id)._asdict()
        place = Place(unit_id=unit_id, execution_id=run and run.pk, agent="clerk", **whose)
        return charge(USED[number % len(USED)], place) is not None

    def _spans(self: "Site", number: int) -> bool:
        """A run of a foreign agent, told in any order and more than once: in the trace of one of ours, or in its own."""
        run = _one(Execution.objects.filter(unit_id=self.world.unit.pk).order_by("pk"), number) if number % 2 else None
        trace_id = run.trace_id if run else UUID(int=1 + number % 2)
        now = database_now()
        told = [
            Reported(
                trace_id=trace_id, external_id=f"{1 + at:016x}", parent=f"{at:016x}" if at and number % 5 else "",
                kind="model", name=f"call {at}", started_at=now - timedelta(seconds=9),
                ended_at=None if (number + at) % 4 == 0 else now, status="ok", attributes={},
                usage=USED[(number + at) % len(USED)],
            )
            for at in range(number % 4, number % 4 + 2)
        ]  # fmt: skip
        by = agent("clerk", unit_ids=frozenset({self.world.unit.pk}), scopes=frozenset({"usage:write"}))
        return bool(spans.take(reported=told, refused={}, size=100, by=by).accepted)

    def _correct(self: "Site", number: int) -> bool:
        line = _one(LedgerEntry.objects.order_by("pk"), number)
        if line is None:
            return False
        wanted = Wanted(to=Decimal(TO[number % len(TO)]), why="the invoice says so", currency=line.currency or "EUR")
        corrections.correct(line_id=line.pk, wanted=wanted, by=self.world.linus)
        return True

    def _price(self: "Site", number: int) -> bool:
        of = ({"kind": "tool", "subject": "send_a", "per_call": "0.05"}, {"kind": "review", "per_hour": "60"},
              {"kind": "model", "subject": "m-3", "input": "2", "output": "8"})[number % 3]  # fmt: skip
        version = Price.objects.filter(name=f"x{number % 3}").count() + 1
        currency = ("EUR", "EUR", "USD")[number // 3 % 3]
        row = Price(name=f"x{number % 3}", version=version, currency=currency, valid_from=database_now(), **of)
        draft(row, by=make.SETUP)
        activate(row, by=make.SETUP)
        return True

    def _fold(self: "Site", number: int) -> bool:
        return bool(rollups.fold())

    def _rebuild(self: "Site", number: int) -> bool:
        return bool(rollups.rebuild())

    def _start_below(self: "Site", number: int) -> bool:
        """In a unit below, whose own people are those of the unit."""
        self.started.append(executions.start(workflow="drawn", input={"flag": number % 2 == 0}, unit="below", by=self.world.ada,
                                             envelope=dict(self.envelope)))  # fmt: skip
        return True

    def _end_below(self: "Site", number: int) -> bool:
        """Nothing begins there any more; what has begun goes on."""
        unit = BusinessUnit.objects.filter(name="below", status="active").first()
        if unit is None:
            return False
        retire(unit, by=make.SETUP)
        return True

    def _monthly(self: "Site", number: int) -> bool:
        """A budget whose windows end. A name counts the same for good, so it is another one than those that do not."""
        measure = ({"measure": "runs", "limit": 1 + number % 2},
                   {"measure": "money", "currency": "EUR", "limit": "0.3", "assumed": "0.1"},
                   {"measure": "tokens", "limit": 50, "assumed": 20})[number % 3]  # fmt: skip
        name = f"m{number % 3}"
        version = Budget.objects.filter(name=name).count() + 1
        window = ("month", "day", "year")[number % 3]
        unit_id = None if number % 3 == 2 else self.world.unit.pk
        row = Budget(name=name, version=version, unit_id=unit_id, window=window, is_hard=number % 4 != 3, **measure)
        draft(row, by=make.SETUP)
        activate(row, by=make.SETUP)
        anything_is_budgeted.again()
        return True

    def _midnight(self: "Site", number: int) -> bool:
        """The windows of now are over, whatever is reserved in them: they lie so far back as they are long."""
        back = "interval '400 days' * (SELECT count(*) FROM budgets_budgetwindow)"
        return bool(_run(
            f"UPDATE budgets_budgetwindow SET starts_at = starts_at - {back}, ends_at = ends_at - {back} "
            "WHERE ends_at > clock_timestamp()"
        ))  # fmt: skip

    def _let_through(self: "Site", number: int) -> bool:
        """Two people let one execution go on over a budget."""
        block = _one(Block.objects.select_related("window").order_by("pk"), number)
        if block is None:
            return False
        name = f"e{BudgetException.objects.count()}"
        row = BudgetException(name=name, budget=block.window.budget, unit_id=block.window.unit_id,
                              execution_id=block.execution_id, why="the month must be closed")  # fmt: skip
        draft(row, by=make.SETUP)
        activate(row, by=make.SETUP)
        return True

    def _forget(self: "Site", number: int) -> bool:
        """What foreign agents told is older than it is kept, all of it."""
        with override_settings(TRACE_SPAN_DAYS=-1):
            return bool(Forgetting()())

    def _spans_again(self: "Site", number: int) -> bool:
        """What was told is told again, whether or not it was forgotten meanwhile."""
        return self._spans(number % 4) and self._spans(number % 4)

    # --- people ---

    def _break_glass(self: "Site", number: int) -> bool:
        request = _one(ApprovalRequest.objects.filter(status="pending", required=2).order_by("pk"), number // 3)
        if request is None:
            return False
        by = self._people(number)
        voice = signing.voice(request, by=by)
        emergencies.break_glass(request_id=request.pk, by=by, voice=voice, reason="the bank closes in ten minutes")
        return True

    def _lend(self: "Site", number: int) -> bool:
        by, to = self._people(number), self._people(number + 1)
        now = database_now()
        delegations.delegate(
            unit_id=self.world.unit.pk, to=_id(to), starts_at=now, ends_at=now + timedelta(days=1), by=by
        )
        return True

    def _leave(self: "Site", number: int) -> bool:
        """Whatever they asked for or signed."""
        return self._is_here(number, here=False)

    def _return(self: "Site", number: int) -> bool:
        return self._is_here(number, here=True)

    def _is_here(self: "Site", number: int, *, here: bool) -> bool:
        names = ("ada", "grace", "linus")
        found = get_user_model().objects.filter(username=names[number % 3], is_active=not here)
        return bool(found.update(is_active=here))


def _one(rows: Any, number: int) -> Any:
    found = list(rows)
    return found[number % len(found)] if found else None


def _id(by: Actor) -> int:
    assert by.user_id is not None
    return by.user_id
