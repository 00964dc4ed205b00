"""An exception from a budget, typed into the admin: only for what waits there, drafted by one person, let through by another."""

import pytest
from django.urls import reverse

from audit.ids import new_id
from budgets.models import Block, Budget, BudgetException
from budgets.reserving import OverBudget, Spot, Worst, anything_is_budgeted, block, reserve
from tests import make
from tests.pages.test_admin import address, administrator, as_opened, verb

ADD = "admin:budgets_budgetexception_add"
pytestmark = pytest.mark.usefixtures("looks_at_once")


def waiting(unit, name="tight", everywhere=False):
    """The id of an execution that waits for a budget of this unit, or of every one."""
    make._activated(Budget(name=name, unit_id=None if everywhere else unit.pk, measure="tokens", limit=10))
    anything_is_budgeted.again()
    execution_id = new_id()
    with pytest.raises(OverBudget) as over:
        reserve(Spot(unit_id=unit.pk, execution_id=execution_id, holder=new_id()), Worst(tokens=20))
    block(over.value, step_id=new_id(), unit_id=unit.pk, execution_id=execution_id)
    return execution_id


class TestAnException:
    def test_is_drafted_by_one_and_put_in_force_by_another(self, unit):
        first, second = administrator("ann", unit), administrator("bob", unit)
        held = waiting(unit)
        first.post(reverse(ADD), {"name": "once", "budget": "tight", "execution_id": held, "why": "month end"})
        row = BudgetException.objects.get()
        assert (row.unit_id, row.execution_id, row.status) == (unit.pk, held, "draft")
        verb(first, row, "activate")
        row.refresh_from_db()
        assert row.status == "draft"

        verb(second, row, "activate")
        row.refresh_from_db()
        assert row.status == "active"

    def test_is_offered_for_what_waits_in_ones_own_units_only(self, unit):
        held = waiting(make.unit("elsewhere"), "theirs")
        ann = administrator("ann", unit)
        assert str(held) not in ann.get(reverse(ADD)).content.decode()

        ann.post(reverse(ADD), {"name": "once", "budget": "theirs", "execution_id": held, "why": "month end"})
        assert not BudgetException.objects.exists()

    def test_from_a_budget_of_every_unit_is_for_whoever_sees_every_unit(self, unit):
        held = waiting(unit, everywhere=True)
        ann = administrator("ann", unit)
        assert str(held) in ann.get(reverse(ADD)).content.decode()
        make.unit("elsewhere")

        assert str(held) not in ann.get(reverse(ADD)).content.decode()
        ann.post(reverse(ADD), {"name": "once", "budget": "tight", "execution_id": held, "why": "month end"})
        assert not BudgetException.objects.exists()

    def test_is_refused_for_a_budget_that_it_does_not_wait_for(self, unit):
        held, _ = waiting(unit), waiting(unit, "other-one")
        ann = administrator("ann", unit)
        page = ann.post(reverse(ADD), {"name": "once", "budget": "other-one", "execution_id": held, "why": "month end"})

        assert "It does not wait for this budget." in page.content.decode()

    def test_of_what_waits_no_more_does_not_turn_into_one_of_what_does(self, unit):
        first, second = administrator("ann", unit), administrator("bob", unit)
        gone = waiting(unit)
        first.post(reverse(ADD), {"name": "once", "budget": "tight", "execution_id": gone, "why": "month end"})
        row = BudgetException.objects.get()
        Block.objects.all().delete()
        other = waiting(unit, "other-one")

        page = first.get(address(row, "change")).content.decode()
        kept = first.post(
            address(row, "change"),
            {"name": "once", "budget": "tight", "execution_id": gone, "why": "typo", **as_opened(first, row)},
        )
        verb(second, row, "activate")

        assert f'<option value="{gone}" selected>' in page
        assert str(other) in page
        assert "is not one of the available choices" in kept.content.decode()
        row.refresh_from_db()
        assert (row.execution_id, row.status) == (gone, "draft")

    def test_needs_a_reason(self, unit):
        held = waiting(unit)
        administrator("ann", unit).post(
            reverse(ADD), {"name": "once", "budget": "tight", "execution_id": held, "why": " "}
        )

        assert not BudgetException.objects.exists()
