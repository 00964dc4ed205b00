"""Budgets in a real browser: one that burns, readable in both themes and on a phone; a cost line corrected by hand."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission

from budgets.models import Budget, LedgerEntry
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from tests import make
from tests.pages.test_budget_burn import spread

pytestmark = pytest.mark.usefixtures("looks_at_once")


@pytest.fixture
def euros(unit, people):
    make._activated(
        Budget(
            name="models",
            unit_id=unit.pk,
            measure="money",
            currency="EUR",
            limit=100,
            window="year",
            thresholds=[50, 80],
        )
    )
    anything_is_budgeted.again()
    line = charge(Usage(model="house", cost=Decimal(62), currency="EUR"), Place(unit_id=unit.pk, agent="poster"))
    spread("models", *[Decimal(number % 5) for number in range(1, 32)])
    people.user_permissions.add(Permission.objects.get(codename="add_ledgerentry"))
    return line


@pytest.mark.slow
def test_a_budget_says_how_it_burns_and_a_line_behind_it_is_corrected(euros, opened, tmp_path):
    person = opened("ada")
    page = person.page
    page.goto("/budgets/")
    page.click("#budgets a:has-text('models v1')")
    page.wait_for_url("**/budgets/models/")
    assert "62 of 100 EUR spent." in page.locator("figure.burn figcaption").inner_text()
    assert "50 %: 50 EUR, reached on" in page.locator("figure.burn .key").inner_text()
    person.pictures(tmp_path / "burn", full_page=True)
    assert person.axe() == []
    page.locator("figure.burn summary").click()
    assert page.locator("figure.burn tbody tr").last.inner_text().split()[-1] == "62"
    assert person.axe() == []

    page.goto(f"/costs/lines/{euros.pk}/")
    assert person.axe() == []
    page.click("a:has-text('Correct it')")
    page.fill("#id_to", "60.5")
    page.fill("#id_reason", "invoice 4711")
    assert person.axe() == []
    page.click("button:has-text('Look at what it changes')")
    page.wait_for_selector("#change")
    person.pictures(tmp_path / "confirm", full_page=True)
    assert person.axe() == []
    page.click("button:has-text('Write the correction')")
    page.wait_for_selector("#line-corrections")
    assert "Counts as EUR 60.50" in page.inner_text("main")
    person.pictures(tmp_path / "line", full_page=True)
    assert person.axe() == []
    assert LedgerEntry.objects.get(kind="correction").amount == Decimal("-1.5")


@pytest.mark.slow
def test_the_pages_fit_a_phone(euros, opened, tmp_path):
    page = opened("ada", viewport={"width": 390, "height": 800}).page
    for address in ("/budgets/models/", f"/costs/lines/{euros.pk}/", f"/costs/lines/{euros.pk}/corrections/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.goto("/budgets/models/")
    page.screenshot(path=tmp_path / "burn-390.png")
