"""The page of a budget: the picture, its table, the file and the window say the same, and nothing of other units."""

import csv
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape

import pytest

from audit.lifecycle import database_now
from budgets.models import Budget, BudgetDay, BudgetWindow
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from tests import make

pytestmark = pytest.mark.usefixtures("looks_at_once")


def budget(unit, name="models", **fields):
    row = make._activated(
        Budget(
            name=name, unit_id=unit and unit.pk, **{"measure": "tokens", "limit": 1000, "window": "always", **fields}
        )
    )
    anything_is_budgeted.again()
    return row


def spend(unit, tokens):
    charge(Usage(model="m", input_tokens=tokens), Place(unit_id=unit.pk))


def spread(name, *spent):
    """What was spent today was spent on so many days up to today instead."""
    window, today = BudgetWindow.objects.get(budget=name), database_now().date()
    BudgetDay.objects.filter(window=window).delete()
    days = [today - timedelta(days=len(spent) - place) for place in range(1, len(spent) + 1)]
    BudgetDay.objects.bulk_create(
        BudgetDay(window=window, day=day, spent=amount) for day, amount in zip(days, spent, strict=True) if amount
    )
    return days


def page(browser, name="models"):
    return browser.get(f"/budgets/{name}/").content.decode()


class TestThePage:
    def test_says_the_same_as_its_file_and_the_window(self, unit, as_vera):
        budget(unit)
        spend(unit, 900)
        days = spread("models", 100, 0, 750, 50)
        rows = list(csv.DictReader(as_vera.get("/budgets/models.csv").content.decode().splitlines()))
        shown = page(as_vera)

        assert [(row["day"], Decimal(row["spent"]), Decimal(row["total"])) for row in rows] == [
            (days[0].isoformat(), 100, 100), (days[2].isoformat(), 750, 850), (days[3].isoformat(), 50, 900),
        ]  # fmt: skip
        assert Decimal(rows[-1]["total"]) == BudgetWindow.objects.get().spent
        cells = shown.split("The same numbers as a table")[1].split("</table>")[0]
        for row in rows:
            assert f'<td class="num">{int(Decimal(row["total"]))}</td>' in cells
        assert "900 of 1,000 tokens spent." in shown

    def test_says_on_which_day_each_threshold_was_reached(self, unit, as_vera):
        budget(unit, thresholds=[50, 80])
        spend(unit, 900)
        days = spread("models", 100, 0, 750, 50)
        shown = page(as_vera)

        day = f"{days[2].day} {days[2]:%b %Y}"
        assert f"50 %: 500 tokens, reached on {day}" in shown
        assert f"80 %: 800 tokens, reached on {day}" in shown
        assert "100 %, the limit: 1,000 tokens, not reached" in shown

    def test_says_where_it_ends_once_two_weeks_are_on_record(self, unit, as_vera):
        budget(unit, window="year", limit=100_000)
        spend(unit, 2_000)
        assert "Where it will end is said once two weeks are on record." in page(as_vera)

        spread("models", *[100] * 20)
        shown = page(as_vera)
        assert "Burn rate about 100.00 tokens a day" in shown
        end = BudgetWindow.objects.get().ends_at.date() - timedelta(days=1)
        left = (end - database_now().date()).days
        said = f"By {end.day} {end:%b %Y} it comes to about {2_000 + 100 * left:,}.00 tokens" in shown
        # On the last day nothing is left to be said.
        assert said == (left > 0)

    def test_names_a_burn_rate_of_less_than_a_cent(self, unit, as_vera):
        budget(unit, measure="money", currency="USD", limit=10, window="year")
        charge(Usage(model="m", cost=Decimal("0.08"), currency="USD"), Place(unit_id=unit.pk))
        spread("models", *[Decimal("0.004")] * 20)

        assert "Burn rate about 0.004000 USD a day" in page(as_vera)

    @pytest.mark.parametrize(("limit", "days"), [(2_450, 5), (2_400, 4), (2_001, 1)])
    def test_says_when_the_limit_is_reached_at_this_rate(self, unit, as_vera, limit, days):
        budget(unit, limit=limit)
        spend(unit, 2_000)
        spread("models", *[100] * 20)
        day = database_now().date() + timedelta(days=days)

        assert f"At this rate the limit is reached on {day.day} {day:%b %Y}." in page(as_vera)

    def test_of_a_window_that_nothing_has_begun_says_so(self, unit, as_vera):
        budget(unit)
        assert "Nothing was used in this window yet" in page(as_vera)

    def test_counts_what_nobody_knows_beside_the_sum(self, unit, as_vera):
        budget(unit, measure="money", currency="EUR", limit=10)
        spend(unit, 5)
        assert "1 cost line is in no sum" in page(as_vera)

    def test_leads_to_the_lines_of_its_days(self, unit, as_vera):
        budget(unit, window="month")
        spend(unit, 400)
        spend(make.unit("elsewhere"), 70)
        link = unescape(re.search(r'href="(/costs/lines/[^"]+)"', page(as_vera))[1])

        assert f"since={database_now():%Y-%m}-01" in link
        assert [line.input_tokens for line in as_vera.get(link).context["listing"].rows] == [400]

    def test_is_one_link_away_from_the_list(self, unit, as_vera):
        budget(unit)
        assert 'href="/budgets/models/"' in as_vera.get("/budgets/").content.decode()

    @pytest.mark.parametrize("address", ["/budgets/models/", "/budgets/models.csv", "/budgets/nothing/"])
    def test_is_not_there_for_a_stranger(self, unit, as_eve, address):
        budget(unit)
        assert as_eve.get(address).status_code == 404

    def test_of_every_unit_is_for_who_sees_every_unit(self, unit, as_vera, as_eve):
        budget(None, "all")
        assert as_vera.get("/budgets/all/").status_code == 404
