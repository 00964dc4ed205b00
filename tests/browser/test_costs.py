"""Costs in a real browser: readable in both themes, on a phone, and each amount leads to its lines."""

from datetime import date
from decimal import Decimal

import pytest

from audit.actors import system
from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.management.commands import _demo_costs
from tests import make


@pytest.fixture
def spent(unit, people):
    run = make.execution(by=people)
    for number, (currency, model) in enumerate(
        [("USD", "gpt-4.1"), ("USD", "gpt-4o"), ("EUR", "house"), ("", "new")], 1
    ):
        cost = Decimal(number) / 8 if currency else None
        usage = Usage(cost=cost, currency=currency, model=model, input_tokens=12_000 * number, output_tokens=300)
        charge(usage, Place(unit_id=unit.pk, agent="poster", execution_id=run.pk))
    return run


@pytest.mark.slow
def test_every_amount_leads_to_the_lines_that_it_sums_up(spent, opened):
    person = opened("ada")
    page = person.page
    page.goto("/")
    page.click("nav a:has-text('Costs')")
    page.wait_for_url("**/costs/")
    assert page.locator("h2").all_inner_texts()[:3] == ["EUR", "USD", "Cost unknown"]
    assert person.axe() == []

    page.select_option("select[name=by]", "model")
    page.select_option("select[name=then]", "")
    page.click("button:has-text('Show')")
    page.click("tr:has-text('gpt-4o') a")
    assert page.locator("#cost-lines tbody tr").count() == 1
    assert "USD 0.25" in page.inner_text("main")
    assert person.axe() == []

    page.click("#cost-lines tbody a[href*='/executions/']")
    page.wait_for_url(f"**{spent.get_absolute_url()}")


@pytest.mark.slow
def test_the_page_fits_a_phone(spent, opened):
    page = opened("ada", viewport={"width": 390, "height": 800}).page
    for address in ("/costs/", "/costs/?by=day&then=model", "/costs/changes/", "/costs/lines/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.slow
def test_days_that_make_no_sense_are_said_above_the_figures(spent, opened):
    person = opened("ada", viewport={"width": 390, "height": 800})
    asked = "/costs/changes/?since=2026-11-20&until=2026-11-10&against=nonsense"
    person.page.goto(asked)
    said = person.page.locator("#changed").inner_text()
    assert "From: 20 Nov 2026 is after 10 Nov 2026. 10 to 20 Nov 2026 is taken." in said
    assert "Against days from: “nonsense” is not a day." in said
    assert person.page.url.endswith(asked)
    assert person.page.input_value("input[name=since]") == "2026-11-10"
    assert person.axe() == []


# The figure that each page is for, by the header above it.
LEADING = {
    "/costs/": "Amount",
    "/costs/changes/": "Change",
    "/costs/outcomes/": "Per success",
    "/costs/lines/": "Amount",
}
# How far each cell under that header reaches beyond what is seen of its table, in pixels; what fades is not seen.
HIDDEN = """title => [...document.querySelectorAll(".panel .scroll")].flatMap(scroller => {
    const heads = [...scroller.querySelectorAll("thead th")];
    const place = heads.findIndex(one => one.innerText.trim() === title);
    const fades = scroller.scrollWidth > scroller.clientWidth ? 48 : 0;
    const seen = scroller.getBoundingClientRect().left + scroller.clientWidth - fades;
    const rows = place < 0 ? [] : [...scroller.querySelectorAll("thead tr, tbody tr")];
    return rows.map(row => {
        const cell = row.cells[place], inner = parseFloat(getComputedStyle(cell).paddingRight);
        return cell.getBoundingClientRect().right - inner - seen;
    });
})"""


@pytest.mark.slow
def test_the_figure_that_matters_is_seen_on_a_phone_without_scrolling(two_months, unit, people, opened):
    for name, cost in (("support_case_resolution_of_every_kind", "12345.67"), ("closing", "0.5")):
        run = make.execution("succeeded", name=name, by=people)
        charge(Usage(model="house", cost=Decimal(cost), currency="USD"), Place(unit_id=unit.pk, execution_id=run.pk))
    page = opened("ada", viewport={"width": 390, "height": 800}).page
    for address, title in LEADING.items():
        page.goto(address)
        reaches = page.evaluate(HIDDEN, title)
        assert len(reaches) > 2, address
        assert max(reaches) <= 0, address


@pytest.fixture
def two_months(unit, people):
    make.execution(by=people)
    make.unit("support", "Customer support", parent=unit)
    make.published("reconciliation")
    make.published("support_case_resolution")
    _demo_costs.write(by=system("demo"), today=date(2026, 11, 28))


def test_a_chart_its_table_and_the_rows_behind_its_marks_say_the_same(two_months, opened):
    person = opened("ada")
    page = person.page
    page.goto("/costs/?since=2026-10-01&until=2026-11-27&by=model")
    chart = page.locator("section:has(h2:text-is('USD')) .chart")
    assert chart.locator("figcaption").inner_text().startswith("USD per day, by model USD ")
    assert person.axe() == []
    chart.locator("summary").click()
    assert person.axe() == []

    mark = chart.locator("svg a").last
    said = mark.get_attribute("aria-label")
    day, _, amount = said.rpartition(": ")
    assert amount in chart.locator("tbody tr").last.inner_text()
    mark.click()
    page.wait_for_url("**/costs/lines/**")
    assert f"USD {amount}" in page.inner_text("main")
    assert day.split(",")[0] in page.inner_text("main")


@pytest.mark.slow
def test_a_finance_reader_finds_what_got_dearer_and_why(two_months, opened):
    person = opened("ada")
    page = person.page
    page.goto("/costs/?since=2026-11-01&until=2026-11-27")
    page.click("a:has-text('What changed, and why')")
    page.wait_for_url("**/costs/changes/**")
    first = page.locator("section:has(h2:text-is('USD')) tbody tr").first
    told = first.inner_text()
    assert "reconciliation in Finance" in told
    assert "because gpt-4.1 took the place of gpt-4.1-mini" in told
    assert "1 to 27 Oct 2026" in page.inner_text("main")
    assert person.axe() == []

    now = first.locator("td a").nth(1)
    amount = now.inner_text()
    now.click()
    assert f"USD {amount}" in page.inner_text("main")
