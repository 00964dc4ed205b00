"""Pages of costs over 5,000,000 ledger lines of 250,000 executions: p95 below 300 ms. `make load` prints the figures.

What is judged is the time on a processor, as of the queue (tests/load/test_queue.py).
"""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.urls import reverse

from orchestrator.engine.sums.rollups import fold
from orchestrator.models import Execution
from tests import make
from tests.load.measuring import measured, told, watch
from tests.pages.asking import browser_of

LINES, EXECUTIONS, UNITS, LIMIT = 5_000_000, 250_000, 20, 0.3
TODAY = datetime.now(UTC).date()
MONTH, QUARTER = TODAY - timedelta(days=30), TODAY - timedelta(days=90)
PAGES = {
    "unit and workflow, 31 days": ("costs", "?since={month}"),
    "this month, with its forecast": ("costs", ""),
    "agent and model, 31 days": ("costs", "?by=agent&then=model&since={month}"),
    "day, 31 days": ("costs", "?by=day&then=&since={month}"),
    "one unit by model, three months": ("costs", "?unit={unit}&by=model&then=&since={quarter}"),
    "what changed, 15 days against 15": ("cost_changes", "?since={half}"),
    "what changed in one unit": ("cost_changes", "?since={half}&unit={unit}"),
    "lines of all units": ("cost_lines", "?since={month}"),
    "lines of a workflow of a unit": (
        "cost_lines",
        "?since={month}&unit={unit}&only=1&workflow=workflow-8&currency=USD",
    ),
    "lines of a workflow of all units": ("cost_lines", "?since={month}&workflow=workflow-4"),
    "lines of a pair": ("cost_lines", "?since={month}&agent=agent-7&model=model-1&currency=USD"),
    "lines of a pair that no line has": ("cost_lines", "?since={month}&agent=agent-7&model=model-0&currency=USD"),
    "per success, one unit, 31 days": ("cost_outcomes", "?since={month}&unit={unit}"),
    "per success, all units, 31 days": ("cost_outcomes", "?since={month}"),
    "budgets": ("budgets", ""),
    "budgets of one unit": ("budgets_of_unit", "{unit}"),
    "costs as CSV": ("costs_csv", "?since={month}&by=agent&then=model"),
    "changes as CSV": ("cost_changes_csv", "?since={half}"),
    "per success as CSV": ("cost_outcomes_csv", "?since={month}"),
    "API, sums by unit": ("api-costs", ""),
    "API, sums by model, since a moment": ("api-costs", "?group_by=model&from={month}T13:30:00Z"),
    "API, dearest executions over all time": ("api-costs", "?group_by=execution"),
    "API, dearest executions of half a day": (
        "api-costs",
        "?group_by=execution&from={before}T00:00:00Z&to={before}T12:00:00Z",
    ),
    "API, per success": ("api-cost-outcomes", "?since={month}"),
}
# Thirty days of 40 agents, 6 models, 10 tools, twenty lines an execution, half of them estimated: seeding only, without a verb.
RUN = """
INSERT INTO orchestrator_execution ({columns}) SELECT {values}
FROM orchestrator_execution AS model, generate_series(1, %(executions)s) AS n WHERE model.id = %(model)s
"""
LINE = """
INSERT INTO budgets_ledgerentry (id, kind, unit_id, execution_id, agent, tool, model, amount, currency, basis, input_tokens,
  output_tokens, rates, priced_by, at)
SELECT gen_random_uuid(), 'model', unit_id, id, 'agent-' || n %% 40, 'tool-' || n %% 10, 'model-' || n %% 6, 0.0123, 'USD',
  CASE WHEN n %% 2 = 0 THEN 'estimated' ELSE 'reported' END, 900, 80,
  CASE WHEN n %% 2 = 0 THEN '{"input_mtok": "2", "cache_read_mtok": "0.5", "output_mtok": "8"}' ELSE '{}' END::jsonb,
  CASE WHEN n %% 2 = 0 THEN 'genai-prices' ELSE '' END, created_at + make_interval(secs => n)
FROM orchestrator_execution, generate_series(1, %(lines)s) AS n
"""
# One line in a thousand is corrected an hour later.
CORRECTION = """
INSERT INTO budgets_ledgerentry (id, kind, unit_id, execution_id, agent, tool, model, amount, currency, basis, input_tokens,
  output_tokens, corrects_id, why, at)
SELECT gen_random_uuid(), 'correction', unit_id, execution_id, agent, tool, model, 0.001, 'USD', 'reported', 0, 0, id,
  'An invoice', at + interval '1 hour'
FROM (SELECT *, row_number() OVER () AS n FROM budgets_ledgerentry WHERE agent = 'agent-7') AS line WHERE n % 50 = 0
"""
# What came since the sums were last made: as many executions as a busy minute touches, one line each.
LATE = """
INSERT INTO budgets_ledgerentry (id, kind, unit_id, execution_id, agent, tool, model, amount, currency, basis, input_tokens,
  output_tokens)
SELECT gen_random_uuid(), 'model', unit_id, id, 'agent-7', 'tool-7', 'model-1', 0.0123, 'USD', 'reported', 900, 80
FROM (SELECT * FROM orchestrator_execution ORDER BY created_at DESC LIMIT 1000) AS latest
"""
COMPUTED = {
    "id": "gen_random_uuid()",
    "unit_id": f"(%(units)s::uuid[])[1 + n %% {UNITS}]",
    "workflow": "'workflow-' || n %% 12",
    "status": "CASE WHEN n %% 100 = 7 THEN 'waiting' ELSE "
    "(ARRAY['succeeded','succeeded','succeeded','failed','cancelled','dead_lettered'])[1 + n / 60 %% 6] END",
    "created_at": f"now() - make_interval(secs => n * {30 * 86400 / EXECUTIONS})",
}

pytestmark = [pytest.mark.load, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


def test_pages_of_costs_stay_fast_over_five_million_lines(monkeypatch):
    units = [make.unit(f"unit{number:02}") for number in range(UNITS)]
    make.unit("finance")
    for unit in units:
        who = make.person("vera", "view", of=unit)
    _timed("seeding", _seed, [unit.pk for unit in units], make.execution().pk)
    _timed("folding", fold)
    _timed("what came since", _late)
    watch(monkeypatch)
    days = {"month": MONTH, "quarter": QUARTER, "half": TODAY - timedelta(days=14), "unit": units[0].pk}
    days |= {"before": TODAY - timedelta(days=2)}
    browser = browser_of(who)
    figures = [(name, *measured(browser, address(*what, days))) for name, what in PAGES.items()]
    told(figures)

    assert [name for name, _, _, at_work in figures if at_work >= LIMIT] == []


def address(page, query, days):
    if page == "budgets_of_unit":
        return reverse(page, args=[days["unit"]])
    return reverse(page) + query.format(**days)


def _seed(units, model):
    columns = [field.column for field in Execution._meta.concrete_fields]
    values = ", ".join(COMPUTED.get(name, f"model.{name}") for name in columns)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orchestrator_execution DISABLE TRIGGER USER")
        run = RUN.format(columns=", ".join(columns), values=values)
        cursor.execute(run, {"executions": EXECUTIONS, "units": units, "model": model})
        cursor.execute("ALTER TABLE orchestrator_execution ENABLE TRIGGER USER")
        cursor.execute(LINE, {"lines": LINES // EXECUTIONS})
        cursor.execute(CORRECTION)
        cursor.execute("VACUUM ANALYZE")


def _late():
    with connection.cursor() as cursor:
        cursor.execute(LATE)


def _timed(what, act, *given):
    began = time.perf_counter()
    act(*given)
    print(f"{what}: {time.perf_counter() - began:.1f} s")
