"""Pages of costs over 5,000,000 ledger lines: p95 below 300 ms. `make load` prints the figures."""

import time
from statistics import quantiles

import pytest
from django.db import connection
from django.urls import reverse

from orchestrator.engine.rollups import fold
from tests import make
from tests.pages.asking import browser_of

LINES, UNITS, ROUNDS, LIMIT = 5_000_000, 20, 20, 0.3
PAGES = {
    "unit and workflow, this month": "",
    "agent and model, this month": "?by=agent&then=model",
    "day, this month": "?by=day&then=",
    "one unit by model, three months": "?unit={unit}&by=model&then=&since={quarter}",
}
# Thirty days of 40 agents, 6 models, 10 tools: seeding only, without a verb.
SEED = """
INSERT INTO budgets_ledgerentry (id, kind, unit_id, agent, tool, model, amount, currency, basis, input_tokens, output_tokens, at)
SELECT gen_random_uuid(), 'model', (%(units)s::uuid[])[1 + n %% 20], 'agent-' || n %% 40, 'tool-' || (n / 40) %% 2,
  'model-' || (n / 80) %% 6, 0.0123, 'USD', 'reported', 900, 80, now() - make_interval(secs => n * 0.5)
FROM generate_series(1, %(lines)s) AS n
"""

pytestmark = [pytest.mark.load, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]


def test_pages_of_costs_stay_fast_over_five_million_lines():
    units = [make.unit(f"unit{number:02}") for number in range(UNITS)]
    who = make.person("vera", "view", of=units[0])
    for unit in units[1:]:
        make.person("vera", "view", of=unit)
    _measured("seeding", _seed, [unit.pk for unit in units])
    _measured("folding", fold)
    browser, slow = browser_of(who), {}
    for name, query in PAGES.items():
        address = reverse("costs") + query.format(unit=units[0].pk)
        browser.get(address)
        p95 = quantiles([_once(browser, address) for _ in range(ROUNDS)], n=20)[-1]
        print(f"{name}: p95 {p95 * 1000:,.0f} ms")
        slow |= {name: p95} if p95 > LIMIT else {}
    assert slow == {}


def _seed(units):
    with connection.cursor() as cursor:
        cursor.execute(SEED, {"units": units, "lines": LINES})
        cursor.execute("ANALYZE budgets_ledgerentry")


def _measured(what, act, *given):
    began = time.perf_counter()
    act(*given)
    print(f"{what}: {time.perf_counter() - began:.1f} s")


def _once(browser, address):
    began = time.perf_counter()
    assert browser.get(address).status_code == 200
    return time.perf_counter() - began
