"""What a person waits for, in Chromium on a processor four times slower than this one: until the largest part of a page stands
there (LCP, 1.2 s), and until the page answers a click (INP, 150 ms). Medians of five visits, and the slowest click of each.
`pytest -m load tests/load/test_browsing.py` prints the figures. Sixty requests, letters and executions, 10,000 parts of a trace.
"""

from decimal import Decimal
from statistics import median

import pytest
from django.urls import reverse

from budgets.operations import Place, charge
from budgets.pricing import Usage
from tests import make
from tests.browser.conftest import chromium, opened  # noqa: F401 - fixtures
from tests.browser.test_pages import MOST_MOVED, MOST_NODES

SLOWER, VISITS = 4, 5
MOST_LCP, MOST_INP = 1_200, 150
# From here on, what takes long enough for a person to notice is written down.
WATCH = """
window.slowest = {lcp: 0, inp: 0};
new PerformanceObserver(seen => { for (const one of seen.getEntries()) slowest.lcp = one.startTime; })
    .observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver(seen => { for (const one of seen.getEntries())
    if (one.interactionId) slowest.inp = Math.max(slowest.inp, one.duration); })
    .observe({type: "event", durationThreshold: 16, buffered: true});
"""

ACTS = "main [data-row] button:visible, main summary:visible, main input:visible, main select:visible"

pytestmark = [pytest.mark.load, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]


@pytest.fixture
def pages(live_server):
    unit = make.unit("finance", "Finance")
    make.person("max", "view", "review", "operate", "audit", of=unit, site=True)
    ada = make.person("ada", "view", "operate", of=unit)
    make.policy()
    letter = make.dead_letter(by=ada)
    make.copies(letter, 60)
    for number in range(60):
        request = make.request(f"{4000 + number}.00", by=make.actor(ada))
    for number in range(60):
        run = make.execution("succeeded", by=ada)
        usage = Usage(model=f"model-{number % 6}", cost=Decimal(number) / 100, currency="USD", input_tokens=900)
        charge(usage, Place(unit_id=unit.pk, execution_id=run.pk, agent="poster"))
    make.ten_thousand_parts(run)
    lists = ("approvals", "executions", "dead_letters", "failure_groups", "traces", "actions", "alerts", "health")
    money = ("costs", "cost_changes", "cost_outcomes", "levels", "budgets")
    return {
        **{name: reverse(name) for name in (*lists, *money)},
        "a request": request.get_absolute_url(),
        "an execution": run.get_absolute_url(),
        "a dead letter": letter.get_absolute_url(),
        "a trace of 10,000 parts": reverse("trace", args=[run.trace_id]),
    }


def test_no_page_keeps_a_person_waiting(pages, opened):  # noqa: F811
    person = opened("max")
    person.context.add_init_script(WATCH)
    person.context.new_cdp_session(person.page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    figures = {name: visited(person, address) for name, address in pages.items()}
    for name, (lcp, inp, moved, nodes) in figures.items():
        print(f"{name:20} LCP {lcp:5.0f} ms   INP {inp:4.0f} ms   moved {moved:.3f}   {nodes:5} elements")

    limits = (MOST_LCP, MOST_INP, MOST_MOVED, MOST_NODES)
    assert {name: seen for name, seen in figures.items() if any(map(float.__gt__, map(float, seen), limits))} == {}


def visited(person, address):
    """With a click on what reacts to one and leads nowhere else, and a key that marks the next row."""
    seen = []
    for _ in range(VISITS):
        person.page.goto(address)
        moved, nodes = person.moved(), person.nodes()
        acts = person.page.locator(ACTS)
        (acts.first if acts.count() else person.page.locator("h1")).click()
        person.page.keyboard.press("j")
        person.page.wait_for_timeout(300)
        times = person.page.evaluate("window.slowest")
        seen.append((times["lcp"], times["inp"], moved, nodes))
    return tuple(map(median, zip(*seen, strict=True)))
