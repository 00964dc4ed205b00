"""Many ask for the last of a budget at the same instant: those who fit have it, and nobody else (I17, I18)."""

from decimal import Decimal

import pytest
from django.db.models import F, Sum

from audit.definitions import activate, draft
from audit.ids import new_id
from budgets.models import Budget, BudgetWindow, Reservation
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import OverBudget, Spot, Worst, anything_is_budgeted, release, reserve
from tests import make as more
from tests import worlds as make
from tests.races.racing import race

CALLERS = 200
AT_ONCE = 20
ROUNDS = 3

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("looks_at_once"),
    pytest.mark.timeout(300),
]


def put_in_force(name, **fields):
    row = Budget(name=name, **{"measure": "money", "currency": "EUR", "window": "always", **fields})
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)
    anything_is_budgeted.again()


def ten_times_twenty(act):
    """200 callers; the test server takes fewer connections than that at one instant."""
    return [outcome for _ in range(CALLERS // AT_ONCE) for outcome in race(*[act] * AT_ONCE)]


def pay(unit_id, costs, **whose):
    """Reserve one euro, be charged, give back the rest."""
    holder = new_id()
    reserve(Spot(unit_id=unit_id, holder=holder, **whose), Worst(money=Decimal(1), currency="EUR"))
    charge(Usage(model="m", cost=costs, currency="EUR"), Place(unit_id=unit_id, holder=holder, **whose))
    release(holder, ran=True)


def keep(unit_id):
    """Reserve one euro and hold on to it."""
    reserve(Spot(unit_id=unit_id, holder=new_id()), Worst(money=Decimal(1), currency="EUR"))


def past_the_limit():
    return BudgetWindow.objects.filter(spent__gt=F("limit") - F("reserved"))


class TestTwoHundredCallers:
    def test_of_a_nearly_empty_nested_budget_never_overspend_it(self):
        world = make.world()
        below = more.unit("below", parent=world.unit)
        put_in_force("above", unit_id=world.unit.pk, limit=12)
        for number in range(ROUNDS):
            name = f"below-{number}"
            put_in_force(name, unit_id=below.pk, limit=3)
            outcomes = ten_times_twenty(lambda: pay(below.pk, Decimal(1)))

            assert all(outcome is None or isinstance(outcome, OverBudget) for outcome in outcomes)
            # The first round spends the narrow budget; it stays in force, so the later ones spend nothing.
            assert outcomes.count(None) == (3 if number == 0 else 0)
        assert not past_the_limit().exists()
        assert BudgetWindow.objects.get(budget="above").spent == 3
        assert not Reservation.objects.exists()

    @pytest.mark.slow
    def test_of_one_release_share_its_budget_and_leave_the_others_theirs(self):
        world = make.world()
        ours, theirs = "a" * 64, "b" * 64
        put_in_force("ours", release=ours, limit=3)
        outcomes = ten_times_twenty(lambda: pay(world.unit.pk, Decimal(1), release=ours))

        assert (outcomes.count(None), BudgetWindow.objects.get().spent) == (3, 3)
        assert all(outcome is None or isinstance(outcome, OverBudget) for outcome in outcomes)
        pay(world.unit.pk, Decimal(1), release=theirs)
        assert BudgetWindow.objects.get().spent == 3

    @pytest.mark.slow
    def test_who_keep_what_they_reserved_have_exactly_the_limit(self):
        world = make.world()
        put_in_force("euros", limit=7)
        for _ in range(ROUNDS):
            outcomes = ten_times_twenty(lambda: keep(world.unit.pk))
            window = BudgetWindow.objects.get()
            assert outcomes.count(None) == 7
            assert window.reserved == 7 == Reservation.objects.aggregate(all=Sum("amount"))["all"]
            for holder in Reservation.objects.values_list("holder", flat=True):
                release(holder, ran=False)

    @pytest.mark.slow
    def test_of_a_provider_that_overcharges_are_over_by_no_more_than_that(self):
        world = make.world()
        put_in_force("euros", limit=5)
        ten_times_twenty(lambda: pay(world.unit.pk, Decimal("1.1")))

        assert BudgetWindow.objects.get().spent <= 5 + 5 * Decimal("0.1")

    @pytest.mark.slow
    def test_that_look_first_and_charge_afterwards_are_caught(self):
        """The planted defect: without the reservation the same callers overspend, so the tests above can fail."""
        world = make.world()
        put_in_force("euros", limit=3)
        BudgetWindow.objects.update_or_create(
            budget="euros", starts_at="1970-01-01T00:00Z",
            defaults={"measure": "money", "currency": "EUR", "limit": 3, "is_hard": True},
        )  # fmt: skip

        def check(spot, worst):
            window = BudgetWindow.objects.get()
            if window.spent + worst.money > window.limit:
                raise OverBudget(window, worst.money)

        def look_then_charge():
            check(Spot(unit_id=world.unit.pk), Worst(money=Decimal(1), currency="EUR"))
            charge(Usage(model="m", cost=Decimal(1), currency="EUR"), Place(unit_id=world.unit.pk))

        for _ in range(10):
            race(*[look_then_charge] * AT_ONCE)
        assert past_the_limit().exists()
