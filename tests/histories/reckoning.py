"""Everything that is summed up is what its parts come to, added up afresh; and every proof says what the rows say."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Q, Sum
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from approvals.models import Decision
from audit.anchors import Anchor
from audit.management.commands.verify_audit import _verify
from audit.models import AuditEvent
from budgets.models import BudgetWindow, LedgerEntry
from orchestrator.engine.sums import rollups
from orchestrator.models import Action, Execution
from tests.pages.asking import browser_of

MISSING = """(l.amount IS NULL AND NOT EXISTS (SELECT FROM budgets_ledgerentry AS c WHERE c.corrects_id = l.id))::int"""
KEY = "day, unit_id, workflow, requester, agent, provider, model, tool, currency"
COSTS = f"""
SELECT {KEY}, sum(amount), sum(lines), sum(unknown), sum(tokens) FROM (
  SELECT {KEY}, amount, lines, unknown, input_tokens + output_tokens AS tokens FROM orchestrator_cost
  UNION ALL
  SELECT (l.at AT TIME ZONE 'UTC')::date, l.unit_id, coalesce(r.workflow, ''), coalesce(r.requester, ''), l.agent, l.provider,
    l.model, l.tool, l.currency, -coalesce(l.amount, 0), -(l.kind <> 'correction')::int, -{MISSING},
    -l.input_tokens - l.output_tokens
  FROM budgets_ledgerentry AS l LEFT JOIN orchestrator_execution AS r ON r.id = l.execution_id) AS met
GROUP BY {KEY} HAVING (sum(amount), sum(lines), sum(unknown), sum(tokens)) <> (0, 0, 0, 0)
"""
TOTALS = f"""
SELECT execution_id, unit_id, currency, sum(cost), sum(calls), sum(missing) FROM (
  SELECT execution_id, unit_id, currency, coalesce(cost, 0) AS cost, calls, missing FROM orchestrator_runtotal
  UNION ALL
  SELECT execution_id, unit_id, currency, coalesce(cost, 0), calls, missing FROM orchestrator_runssince()
  UNION ALL
  SELECT l.execution_id, l.unit_id, l.currency, -coalesce(l.amount, 0), -(l.kind <> 'correction')::int, -{MISSING}
  FROM budgets_ledgerentry AS l) AS met
GROUP BY 1, 2, 3 HAVING (sum(cost), sum(calls), sum(missing)) <> (0, 0, 0)
"""
KNOWN = """
SELECT unit_id, workflow, bucket, currency, amount, unknown, executions FROM orchestrator_outcomerollup UNION ALL
SELECT unit_id, workflow, bucket, currency, amount, unknown, executions FROM orchestrator_outcomesunfolded(
  ARRAY(SELECT id FROM budgets_businessunit), '2000-01-01', '2100-01-01')
"""
OUTCOMES = f"""
SELECT unit_id, workflow, currency, sum(amount), sum(unknown), sum(executions) FROM (
  SELECT unit_id, workflow, currency, amount, unknown, executions FROM ({KNOWN}) AS known
  UNION ALL
  SELECT r.unit_id, r.workflow, l.currency, -coalesce(l.amount, 0), -{MISSING}, 0
  FROM budgets_ledgerentry AS l JOIN orchestrator_execution AS r ON r.id = l.execution_id
  UNION ALL SELECT unit_id, workflow, '', 0, 0, -1 FROM orchestrator_execution) AS met
GROUP BY 1, 2, 3 HAVING (sum(amount), sum(unknown), sum(executions)) <> (0, 0, 0)
"""
BUCKETS = f"""
SELECT unit_id, workflow, bucket, currency, sum(amount), sum(unknown), sum(executions) FROM ({KNOWN} UNION ALL
  SELECT unit_id, workflow, bucket, currency, -amount, -unknown, -executions
  FROM orchestrator_runcosts(ARRAY(SELECT id FROM orchestrator_execution))) AS met
GROUP BY 1, 2, 3, 4 HAVING (sum(amount), sum(unknown), sum(executions)) <> (0, 0, 0)
"""
# What all windows of a budget counted is what was written since it came into force, in its unit and below, or everywhere.
WINDOWS = """
WITH RECURSIVE up AS (
  SELECT id, id AS top FROM budgets_businessunit
  UNION SELECT u.id, up.top FROM budgets_businessunit AS u JOIN up ON u.parent_id = up.id
), named AS (
  SELECT name, min(activated_at) AS since FROM budgets_budget WHERE activated_at IS NOT NULL GROUP BY name
), counted AS (
  SELECT w.budget, w.unit_id, w.measure, w.currency, sum(w.spent) AS spent FROM budgets_budgetwindow AS w
  GROUP BY 1, 2, 3, 4
)
SELECT c.budget, c.spent, coalesce(sum(CASE WHEN c.measure = 'tokens' THEN l.input_tokens + l.output_tokens ELSE l.amount END), 0)
FROM counted AS c JOIN named AS n ON n.name = c.budget
LEFT JOIN budgets_ledgerentry AS l ON l.at >= n.since AND (c.measure = 'tokens' OR l.currency = c.currency)
  AND (c.unit_id IS NULL OR l.unit_id IN (SELECT id FROM up WHERE up.top = c.unit_id))
WHERE c.measure <> 'runs' GROUP BY c.budget, c.measure, c.spent
HAVING c.spent <> coalesce(sum(CASE WHEN c.measure = 'tokens' THEN l.input_tokens + l.output_tokens ELSE l.amount END), 0)
"""
SUMS = {"roll-ups": COSTS, "totals": TOTALS, "outcomes": OUTCOMES, "outcomes kept": BUCKETS, "windows": WINDOWS}


def sums() -> Iterator[str]:
    """As readers see them; once more when everything is folded; and after all of it is made anew."""
    yield from _sums("as they stand")
    rollups.fold()
    yield from _sums("folded")
    rollups.rebuild()
    yield from _sums("made anew")
    if broken := _verify(Anchor(), is_anchored=False).broken:
        yield f"I20: verify_audit says: {broken}"


def _sums(when: str) -> Iterator[str]:
    for name, query in SUMS.items():
        with connection.cursor() as cursor:
            cursor.execute(query)
            for row in cursor.fetchmany(3):
                yield f"I17: {name} and the ledger are not the same, {when}: {[str(value) for value in row]}"


def proofs() -> Iterator[str]:
    """The pack of evidence, the API's sums and the sheet, as somebody reads them who sees both units."""
    browser = browser_of(get_user_model().objects.get(username="olga"))
    for run in Execution.objects.all():
        yield from _pack(run, browser.get(f"/api/v1/executions/{run.pk}/evidence/").json())
    yield from sheets()
    spent = _spent()
    for group in ("unit", "agent", "model", "execution"):
        rows = browser.get(f"/api/v1/costs/?group_by={group}").json()["results"]
        found: dict[str, Decimal] = {}
        for row in rows:
            if row["cost"] is not None:
                found[row["currency"]] = found.get(row["currency"], Decimal(0)) + Decimal(row["cost"])
        if {one: sum for one, sum in found.items() if sum} != {one: sum for one, sum in spent.items() if sum}:
            yield f"the API's costs by {group} are {found}, and the ledger's lines come to {spent}"


def sheets() -> Iterator[str]:
    """The files say what the ledger and the windows say."""
    browser = browser_of(get_user_model().objects.get(username="olga"))
    all_of_it, of_runs, number = _spent(), _spent(execution_id__isnull=False), LedgerEntry.objects.count()
    for by in ("unit", "workflow", "day", "requester", "basis"):
        yield from _same(f"costs.csv by {by}", _file(browser, "costs_csv", by=by, then="agent"), all_of_it)
    lines = _file(browser, "cost_lines_csv")
    yield from _same("cost-lines.csv", lines, all_of_it)
    if len(lines) != number:
        yield f"cost-lines.csv has {len(lines)} lines, and the ledger {number}"
    yield from _same("cost-per-success.csv", _file(browser, "cost_outcomes_csv"), of_runs)
    yield from _same("cost-changes.csv", _file(browser, "cost_changes_csv"), all_of_it)
    for row in _file(browser, "budgets_csv"):
        window = BudgetWindow.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()), budget=row["budget"]).first()
        found = (window.spent, window.reserved, window.unknown) if window else (0, 0, 0)
        if (Decimal(row["spent"]), Decimal(row["reserved"]), int(row["unknown costs"])) != found:
            yield f"budgets.csv says {row} and the window {found}"


def _file(browser: Client, name: str, **query: str) -> list[dict[str, str]]:
    answer: Any = browser.get(reverse(name), query)
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def _same(name: str, rows: list[dict[str, str]], spent: dict[str, Decimal]) -> Iterator[str]:
    found: dict[str, Decimal] = {}
    for row in rows:
        if row["amount"]:
            found[row["currency"]] = found.get(row["currency"], Decimal(0)) + Decimal(row["amount"])
    if {one: sum for one, sum in found.items() if sum} != {one: sum for one, sum in spent.items() if sum}:
        yield f"{name} comes to {found}, and the ledger's lines to {spent}"


def _spent(**which: Any) -> dict[str, Decimal]:
    rows = LedgerEntry.objects.filter(**which).exclude(amount=None).order_by()
    return dict(rows.values_list("currency").annotate(all=Sum("amount")))


def _pack(run: Execution, pack: Any) -> Iterator[str]:
    signed = {
        (str(one.request_id), one.person_name, one.verdict, one.revision)
        for one in Decision.objects.filter(request__execution_id=run.pk)
    }
    told = {
        (request["id"], one["person_name"], one["verdict"], one["revision"])
        for request in pack["approvals"]
        for one in request["decisions"]
    }
    if signed != told:
        yield f"the pack of evidence tells {told}, and people decided {signed}"
    calls = {str(pk): status for pk, status in Action.objects.filter(execution_id=run.pk).values_list("pk", "status")}
    if calls != {one["id"]: one["status"] for one in pack["actions"]}:
        yield f"the pack of evidence tells of other calls than there are: {pack['actions']}"
    if len(pack["events"]) != AuditEvent.objects.filter(stream=run.stream).count() or not pack["complete"]:
        yield f"the pack of evidence of {run.pk} is not complete"
