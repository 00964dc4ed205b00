"""Several people correct one line at the same instant: one of them is read by the others before they go on."""

from decimal import Decimal

import pytest
from django.db.models import Sum

from audit.refusals import Stale
from budgets.models import Budget, BudgetWindow, LedgerEntry
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from tests import make
from tests.races.racing import race

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("looks_at_once"),
    pytest.mark.timeout(300),
]
AT_ONCE = 8


def test_one_is_written_and_the_others_are_told_that_somebody_was_faster():
    unit = make.unit()
    make._activated(Budget(name="euros", unit_id=unit.pk, measure="money", currency="EUR", limit=100))
    anything_is_budgeted.again()
    line = charge(Usage(model="m", cost=Decimal(10), currency="EUR"), Place(unit_id=unit.pk))

    def act(amount):
        return lambda: correct(line, to=Decimal(amount), why="the invoice", by=make.MAKER, read=0)

    outcomes = race(*[act(number) for number in range(1, AT_ONCE + 1)])

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, Stale) for outcome in outcomes) == AT_ONCE - 1
    total = LedgerEntry.objects.aggregate(all=Sum("amount"))["all"]
    assert total == outcomes.index(None) + 1 == BudgetWindow.objects.get().spent


def test_whoever_does_not_say_what_they_had_read_still_ends_at_an_amount_that_somebody_wanted():
    unit = make.unit()
    line = charge(Usage(model="m", cost=Decimal(10), currency="EUR"), Place(unit_id=unit.pk))

    def act(amount):
        return lambda: correct(line, to=Decimal(amount), why="the invoice", by=make.MAKER)

    outcomes = race(*[act(number) for number in range(1, AT_ONCE + 1)])

    assert outcomes == [None] * AT_ONCE
    assert LedgerEntry.objects.aggregate(all=Sum("amount"))["all"] in range(1, AT_ONCE + 1)
