"""Service levels, the search for traces and the list of actions over a million executions of 30 days: p95 below 200 ms of
processor time.
`pytest -m load tests/load/test_levels.py` prints the figures.
"""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from orchestrator.models import Action, Attempt, Execution, Step
from tests import make
from tests.load.measuring import measured, told, watch
from tests.pages.asking import browser_of

EXECUTIONS, UNITS, LIMIT = 1_000_000, 20, 0.2
WEEK, MONTH = (datetime.now(UTC).date() - timedelta(days=days) for days in (6, 30))
PAGES = {
    "service levels, a week": ("levels", f"?since={WEEK}"),
    "service levels by agent, a week": ("levels", f"?since={WEEK}&by=agent"),
    "service levels, one unit, a week": ("levels", f"?since={WEEK}&unit={{unit}}"),
    "service levels by unit, a week": ("levels", f"?since={WEEK}&by=unit"),
    "service levels by release, a week": ("levels", f"?since={WEEK}&by=release"),
    "service levels, a month": ("levels", f"?since={MONTH}"),
    "service levels by agent, a month": ("levels", f"?since={MONTH}&by=agent"),
    "service levels as CSV, a month": ("levels_csv", f"?since={MONTH}"),
    "refused as CSV, a month": ("levels_refused_csv", f"?since={MONTH}"),
    "time to resolution as CSV, a month": ("levels_resolution_csv", f"?since={MONTH}"),
    "executions, all": ("executions", ""),
    "executions of a workflow that failed": ("executions", "?workflow=workflow-4&status=failed"),
    "executions of one unit": ("executions", "?unit={unit}"),
    "traces, all": ("traces", ""),
    "traces with an error": ("traces", "?error=any"),
    "traces by tool": ("traces", "?tool=erp.post_adjustment"),
    "traces by an agent that never called": ("traces", "?agent=looker"),
    "traces with an error that many had": ("traces", "?error=business"),
    "traces with an error that none had": ("traces", "?error=timeout"),
    "traces slower than a minute, which none is": ("traces", "?slower=60"),
    "traces slower than 10 s, as all are": ("traces", "?slower=10"),
    "traces that cost 10, which none does": ("traces", "?cost=10"),
    "traces that cost 10, of a day": ("traces", "?cost=10&since=24"),
    "traces that cost 1, as some old ones do": ("traces", "?cost=1"),
    "traces that cost 1, of a day": ("traces", "?cost=1&since=24"),
    "traces that cost 1, of one unit": ("traces", "?cost=1&unit={unit}"),
    "traces that cost 0.10, as all do": ("traces", "?cost=0.10"),
    "traces that cost 0.10, of a day": ("traces", "?cost=0.10&since=24"),
    "actions, all": ("actions", ""),
    "actions of one unit": ("actions", "?unit={unit}"),
    "actions of an agent": ("actions", "?agent=poster"),
    "actions of an agent that never called": ("actions", "?agent=looker"),
    "actions of a tool": ("actions", "?tool=erp.post_adjustment"),
    "actions that were denied": ("actions", "?status=denied"),
    "actions that were denied, of a day": ("actions", "?status=denied&since=24"),
    "actions that are unknown, which none is": ("actions", "?status=unknown"),
    "actions of an agent, a week": ("actions", "?agent=poster&since=168"),
}
# One row of each table is the model; every execution gets copies of its steps, their attempts and its call. Without verbs.
SHIFT = f"make_interval(secs => n::float * {30 * 86400} / %(executions)s::float)"
# A few seconds to some minutes, most about twenty.
LONG = "exp(hashint4(n) / 2147483648.0)"
RUNS = {
    "id": "md5('run ' || n)::uuid",
    "root_id": "md5('run ' || n)::uuid",
    "trace_id": "md5('run ' || n)::uuid",
    "unit_id": f"(%(units)s::uuid[])[1 + n %% {UNITS}]",
    "workflow": "'workflow-' || n %% 12",
    "status": "CASE WHEN n %% 50 = 7 THEN 'failed' ELSE 'succeeded' END",
    "created_at": f"now() - {SHIFT} - interval '20 s' * {LONG}",
    "started_at": f"now() - {SHIFT} - interval '19 s' * {LONG}",
    "finished_at": f"now() - {SHIFT}",
}
STEPS = {
    "id": "md5('step ' || n || model.key)::uuid",
    "execution_id": "md5('run ' || n)::uuid",
    "unit_id": f"(%(units)s::uuid[])[1 + n %% {UNITS}]",
}
TRIES = {
    "id": "md5('try ' || n || model.id)::uuid",
    "execution_id": "md5('run ' || n)::uuid",
    "step_id": "md5('step ' || n || (SELECT key FROM orchestrator_step AS s WHERE s.id = model.step_id))::uuid",
    "unit_id": f"(%(units)s::uuid[])[1 + n %% {UNITS}]",
    "started_at": f"now() - {SHIFT} - interval '18 s' * {LONG}",
    "finished_at": f"now() - {SHIFT} - interval '2 s' * {LONG}",
    "failure_class": "CASE WHEN n %% 50 = 7 THEN 'business' ELSE '' END",
}
CALLS = {
    "id": "md5('call ' || n)::uuid",
    "execution_id": "md5('run ' || n)::uuid",
    "step_id": "NULL",
    "approval_id": "NULL",
    "unit_id": f"(%(units)s::uuid[])[1 + n %% {UNITS}]",
    "idempotency_key": "'key ' || n",
    "status": "CASE WHEN n %% 100 = 3 THEN 'denied' ELSE 'succeeded' END",
    "created_at": f"now() - {SHIFT} - interval '10 s'",
}
LINES = """
INSERT INTO budgets_ledgerentry (id, kind, unit_id, execution_id, agent, tool, model, amount, currency, basis, input_tokens,
  output_tokens, at)
SELECT gen_random_uuid(), 'model', unit_id, id, 'poster', '', 'house',
  CASE WHEN created_at < now() - interval '20 days' AND id::text < '08' THEN 1.5 ELSE 0.12 END, 'USD', 'reported', 900, 80,
  created_at
FROM orchestrator_execution WHERE workflow LIKE 'workflow-%'
"""

pytestmark = [pytest.mark.load, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


def test_service_levels_traces_and_actions_stay_fast_over_a_million_executions(monkeypatch):
    units = [make.unit(f"unit{number:02}") for number in range(UNITS)]
    for unit in units:
        who = make.person("vera", "view", of=unit)
    make.agent("looker", of=units[0])
    _seed([unit.pk for unit in units], make.execution("succeeded"), make.action())
    watch(monkeypatch)
    browser = browser_of(who)
    figures = [
        (name, *measured(browser, reverse(page) + query.format(unit=units[0].pk)))
        for name, (page, query) in PAGES.items()
    ]
    told(figures)

    assert [name for name, _, _, at_work in figures if at_work >= LIMIT] == []


def _seed(units, run, call):
    began = time.perf_counter()
    values = {"units": units, "executions": EXECUTIONS}
    for model, changes, which in (
        (Execution, RUNS, f"model.id = '{run.pk}'"),
        (Step, STEPS, f"model.execution_id = '{run.pk}'"),
        (Attempt, TRIES, f"model.execution_id = '{run.pk}'"),
        (Action, CALLS, f"model.id = '{call.pk}'"),
    ):
        _copies(model, changes, which, values)
    with connection.cursor() as cursor:
        cursor.execute(LINES)
        cursor.execute("VACUUM ANALYZE")
    print(f"rows: {time.perf_counter() - began:.1f} s")
    call_command("rebuild_rollups")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"seeding: {time.perf_counter() - began:.1f} s")


def _copies(model, changes, which, values):
    table, columns = model._meta.db_table, [field.column for field in model._meta.concrete_fields]
    made = ", ".join(changes.get(name, f"model.{name}") for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {made} "
            f"FROM {table} AS model, generate_series(1, %(executions)s) AS n WHERE {which}",
            values,
        )
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
