"""The page of budgets, its sheet and its API: the same figures in all three, for whoever sees the unit."""

import csv
from decimal import Decimal

import pytest

from audit.definitions import retire
from audit.ids import new_id
from budgets.models import Budget
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.queries import Bar
from budgets.reserving import OverBudget, Spot, Worst, anything_is_budgeted, block, reserve
from orchestrator.engine.parking import settle_parked
from orchestrator.statuses import StepStatus
from tests import make

pytestmark = pytest.mark.usefixtures("looks_at_once")


@pytest.fixture
def euros(unit):
    row = make._activated(
        Budget(name="models", unit_id=unit.pk, measure="money", currency="EUR", limit=10, why="agreed with the board")
    )
    anything_is_budgeted.again()
    charge(Usage(model="m", cost=Decimal("8.1234567891"), currency="EUR"), Place(unit_id=unit.pk))
    charge(Usage(model="nobody-knows-it", input_tokens=5), Place(unit_id=unit.pk))
    reserve(Spot(unit_id=unit.pk, holder=new_id()), Worst(money=Decimal(1), currency="EUR"))
    return row


def page(browser, query=""):
    return browser.get(f"/budgets/{query}").content.decode()


class TestThePage:
    def test_says_where_to_draft_one_while_there_is_none(self, as_vera):
        assert "No budget is here" in page(as_vera)

    def test_shows_exact_figures_the_state_in_words_and_unknown_costs_beside_the_sum(self, euros, as_vera):
        shown = page(as_vera)

        for words in ("models", 'title="exactly EUR 8.1234567891">EUR 8.12<', "and 1 line not known in EUR", "EUR 10.00",
                      "At risk", "91.2 % used", "1 under way", "agreed with the board", "work waits", "80 %, 100 %"):  # fmt: skip
            assert words in shown

    def test_shows_what_waits_with_its_execution(self, euros, unit, as_vera):
        execution = make.execution()
        spot = Spot(unit_id=unit.pk, execution_id=execution.pk, holder=new_id())
        with pytest.raises(OverBudget) as over:
            reserve(spot, Worst(money=Decimal(5), currency="EUR"))
        block(over.value, step_id=new_id(), unit_id=unit.pk, execution_id=execution.pk)
        shown = page(as_vera)

        assert "Frozen" in shown
        assert f"/executions/{execution.pk}/" in shown

    def test_is_narrowed_by_state(self, euros, as_vera):
        assert "agreed with the board" in page(as_vera, "?state=At+risk")
        assert "agreed with the board" not in page(as_vera, "?state=Over")

    def test_has_a_sheet_of_the_same_rows(self, euros, as_vera):
        assert 'href="/budgets.csv?state=At%20risk"' in page(as_vera, "?state=At+risk")
        lines = {
            state: len(as_vera.get(f"/budgets.csv{state}").content.splitlines())
            for state in ("", "?state=At%20risk", "?state=Over", "?state=else")
        }
        assert lines == {"": 2, "?state=At%20risk": 2, "?state=Over": 1, "?state=else": 2}

    def test_names_a_unit_that_was_retired_since_as_sheet_and_api_do(self, euros, unit, as_vera):
        retire(unit, by=make.MAKER)

        assert f">{unit.title}</a>" in page(as_vera)
        assert {row["unit"] for row in csv.DictReader(as_vera.get("/budgets.csv").content.decode().splitlines())} == {
            unit.title
        }
        assert as_vera.get("/api/v1/budgets/").json()["results"][0]["unit"] == unit.name

    def test_shows_nothing_of_a_unit_one_does_not_see(self, euros, as_eve):
        assert "agreed with the board" not in page(as_eve)
        assert "models" not in as_eve.get("/budgets.csv").content.decode()
        assert as_eve.get("/api/v1/budgets/").json()["results"] == []


class TestTheBar:
    def test_says_in_words_what_it_draws(self, euros, as_vera):
        shown = page(as_vera)

        assert 'aria-label="8.1234567891 spent and 1 reserved of 10 EUR"' in shown
        assert (
            '<rect class="spent" width="81.2" height="10"/><rect class="held" x="81.2" width="10.0" height="10"/>'
            in shown
        )

    @pytest.mark.parametrize(
        ("spent", "reserved", "drawn"),
        [(5, 2, ("50.0", "20.0", "100.0")), (20, 0, ("100.0", "0.0", "50.0")), (-3, 1, ("0.0", "10.0", "100.0"))],
    )
    def test_holds_whatever_was_spent_beyond_the_limit_or_given_back(self, spent, reserved, drawn):
        bar = Bar.of(Decimal(spent), Decimal(reserved), Decimal(10))
        assert tuple(map(str, (bar.spent, bar.reserved, bar.limit))) == drawn


class TestThePageOfAUnit:
    def test_shows_what_covers_it_what_is_below_it_and_what_waits_there(self, euros, unit, as_vera):
        below = make.unit("below", "Below", parent=unit)
        make._activated(Budget(name="little", unit_id=below.pk, measure="runs", limit=5))
        shown = as_vera.get(f"/budgets/units/{unit.pk}/").content.decode()
        covering, inside = shown.split('id="inside"')
        assert ("models v1" in covering, "little v1" in covering, "little v1" in inside) == (True, False, True)

        shown = as_vera.get(f"/budgets/units/{below.pk}/").content.decode()
        assert "models v1" in shown
        assert "little v1" in shown
        assert 'id="inside"' not in shown

    def test_says_so_where_nothing_covers_it(self, unit, as_vera):
        assert "No budget that you see covers this unit" in as_vera.get(f"/budgets/units/{unit.pk}/").content.decode()

    def test_does_not_exist_for_a_stranger(self, euros, unit, as_eve):
        assert as_eve.get(f"/budgets/units/{unit.pk}/").status_code == 404

    def test_is_one_link_away_from_every_budget_of_a_unit(self, euros, unit, as_vera):
        assert f'href="/budgets/units/{unit.pk}/"' in page(as_vera)


class TestTheViewOfExecutions:
    def test_lists_what_waits_for_room_and_nothing_else(self, unit, as_vera):
        other, held = make.execution("waiting"), make.execution()
        settle_parked(make.claimed(held), to=StepStatus.BUDGET_HOLD, why="no room", input={})
        shown = as_vera.get("/executions/?waits=budget_hold").content.decode()

        assert f"/executions/{held.pk}/" in shown
        assert f"/executions/{other.pk}/" not in shown
        assert ">Over budget</a>" in as_vera.get("/executions/").content.decode()


class TestTheSheetAndTheApi:
    def test_give_the_figures_of_the_page(self, euros, as_vera):
        (row,) = csv.DictReader(as_vera.get("/budgets.csv").content.decode().splitlines())
        (found,) = as_vera.get("/api/v1/budgets/").json()["results"]

        assert Decimal(row["spent"]) == Decimal(found["spent"]) == Decimal("8.1234567891")
        assert Decimal(row["reserved"]) == Decimal(found["reserved"]) == 1
        assert Decimal(row["limit"]) == Decimal(found["limit"]) == 10
        assert row["state"] == found["state"] == "At risk"
        assert (int(row["unknown costs"]), found["unknown"]) == (1, 1)

    def test_name_the_unit_as_programs_do_over_the_api(self, euros, unit, as_vera):
        make._activated(Budget(name="all-runs", measure="runs", limit=9))

        found = {row["name"]: row["unit"] for row in as_vera.get("/api/v1/budgets/").json()["results"]}

        assert found == {euros.name: unit.name, "all-runs": None}

    def test_tell_as_many_tokens_as_may_be_counted(self, unit, as_vera):
        make._activated(Budget(name="tokens", unit_id=unit.pk, measure="tokens", limit=3 * 10**12))
        anything_is_budgeted.again()
        charge(Usage(model="m", input_tokens=10**12), Place(unit_id=unit.pk))
        reserve(Spot(unit_id=unit.pk, holder=new_id()), Worst(tokens=10**12))

        assert '<span class="num">1,000,000,000,000</span> tokens' in page(as_vera)
        (found,) = as_vera.get("/api/v1/budgets/").json()["results"]

        figures = [Decimal(found[name]) for name in ("limit", "spent", "reserved")]
        assert figures == [3 * 10**12, 10**12, 10**12]
