"""Sums by outcome follow lines, corrections, ends, redrives and repeated tries: kept in steps, they say what the ledger says."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import transaction

from approvals.models import ApprovalRequest
from budgets.models import BusinessUnit, LedgerEntry
from budgets.money import to_ledger
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from orchestrator.engine.retries import Failure
from orchestrator.engine.settle import settle_failure, settle_success
from orchestrator.engine.sums.rollups import fold
from orchestrator.models import CostFold, DeadLetter, Execution, OutcomeRollup, RunCost
from orchestrator.operations import dead_letters, executions
from orchestrator.queries.cost_outcomes import executions_asked_for, outcomes
from orchestrator.queries.cost_report import Span
from tests import make
from tests.engine.driving import timers_come_due
from tests.races.racing import race
from tests.races.test_rollups import second_connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def span():
    today, units = datetime.now(UTC).date(), BusinessUnit.objects.values_list("pk", flat=True)
    return Span(unit_ids=frozenset(units), since=today - timedelta(days=1), until=today)


def told():
    """What the pages say."""
    return outcomes(span()), executions_asked_for(span())


def by_the_ledger():
    """What they say where nothing is kept."""
    with transaction.atomic():
        CostFold.objects.update(runs_before=0)
        OutcomeRollup.objects.all().delete()
        RunCost.objects.all().delete()
        found = told()
        transaction.set_rollback(True)
    return found


def kept():
    rows = OutcomeRollup.objects.values_list(
        "unit_id", "day", "workflow", "bucket", "currency", "executions", "amount", "unknown"
    )
    return sorted(row for row in rows if any(row[5:]))


def spend(run, cost="0.10"):
    usage = Usage(cost=cost and Decimal(cost), currency="USD" if cost else "", model="house", input_tokens=10)
    return charge(usage, Place(unit_id=run.unit_id, agent="poster", execution_id=run.pk))


def fails(segment):
    segment.usages.append(Usage(cost=Decimal("0.30"), currency="USD", model="house", input_tokens=10))
    settle_failure(segment, Failure("system", "The ERP answered 503.", {}), input={"rows": 3})


def succeeds(segment):
    segment.usages.append(Usage(cost=Decimal("0.50"), currency="USD", model="house", input_tokens=10))
    settle_success(segment, input={"rows": 3}, output={"posted": 3})


def stays(segment):
    """Its worker goes on."""


class History:
    """Something happens, by the system's own verbs, to some execution."""

    def __init__(self, seed):
        self.chance, self.runs = random.Random(seed), []
        self.by, self.grace = (
            make.actor(make.person("operator", "view", "operate")),
            make.person("grace", "view", "review"),
        )

    def goes_on(self):
        act = self.chance.choice([self.start, self.line, self.line, self.late_line, self.correct, self.end, self.retry,
                                  self.redrive, self.reject, fold, fold])  # fmt: skip
        act()
        return act.__name__

    def start(self):
        status = self.chance.choice(
            ["queued", "running", "waiting", "succeeded", "failed", "dead_lettered", "cancelled"]
        )
        self.runs.append(make.execution(status))

    def line(self):
        if self.runs:
            spend(self.chance.choice(self.runs), self.chance.choice(["0.05", "0.70", None]))

    def late_line(self):
        """Written for good only after a fold."""
        if self.runs:
            with second_connection() as other:
                run = self.chance.choice(self.runs)
                other.execute("BEGIN")
                other.execute(
                    "INSERT INTO budgets_ledgerentry (id, unit_id, execution_id, agent, tool, model, amount, currency, basis,"
                    " input_tokens, output_tokens) VALUES (gen_random_uuid(), %s, %s, 'poster', '', 'house', 0.10, 'USD',"
                    " 'reported', 100, 10)",
                    [run.unit_id, run.pk],
                )
                spend(self.chance.choice(self.runs))
                fold()
                other.execute("COMMIT")

    def correct(self):
        lines = list(LedgerEntry.objects.exclude(kind="correction"))
        if lines:
            to = to_ledger(Decimal(self.chance.randint(1000, 9999)) / 7)
            correct(self.chance.choice(lines), to=to, currency="USD", why="Checked", by=self.by)

    def end(self):
        for run in Execution.objects.live().newest_first()[:1]:
            executions.cancel(execution_id=run.pk, by=self.by, why="Not needed")

    def retry(self):
        """A try that fails and is made again; a fold may come between."""
        run = make.execution("queued", name="twice", attempts=2)
        self.runs.append(run)
        fails(make.at_second_step(run))
        if self.chance.random() < 0.7:
            self.chance.choice([fold, told])()
            timers_come_due()
            self.chance.choice([fails, succeeds, stays])(make.claimed(run))

    def redrive(self):
        for letter in DeadLetter.objects.filter(status="open")[:1]:
            dead_letters.requeue(letter_id=letter.pk, by=self.by)
            self.chance.choice([fold, told])()
            self.chance.choice([fails, succeeds, stays])(make.claimed(letter.execution))

    def reject(self):
        for run in Execution.objects.filter(status="waiting")[:1]:
            make.rejected(ApprovalRequest.objects.get(execution_id=run.pk), self.grace)
            settle_failure(make.claimed(run), Failure("business", "Rejected: no invoice", {}))


@pytest.mark.parametrize("seed", range(2))
def test_kept_in_steps_they_say_what_the_ledger_says(seed):
    history, ran = History(seed), Counter()
    for _ in range(30):
        ran[history.goes_on()] += 1
        assert told() == by_the_ledger(), ran
    fold()
    assert told() == by_the_ledger()
    in_steps = kept()
    call_command("rebuild_rollups", verbosity=0)
    assert in_steps == kept() != []


def test_two_sweeps_at_once_count_each_execution_once():
    for _ in range(3):
        spend(make.execution("succeeded"))
        assert race(fold, fold, fold) == [None, None, None]
    fold()
    ((*_, count, amount, _),) = [row for row in kept() if row[4] == "USD"]
    assert (amount, sum(row[5] for row in kept())) == (Decimal("0.30"), 3)
    assert count == 0


def test_a_line_of_a_long_ended_execution_is_counted_with_it_and_once():
    run = make.execution("failed")
    spend(run)
    fold()
    spend(run, "0.25")
    assert told() == by_the_ledger()
    fold()
    assert [(row[3], row[6]) for row in kept() if row[4]] == [("failed", Decimal("0.35"))]


def test_nothing_is_kept_before_the_command_has_run_where_executions_were_there_already():
    run = make.execution("succeeded")
    spend(run)
    CostFold.objects.update(runs_before=0)
    fold()
    assert (kept(), told()[0][0].executions["succeeded"]) == ([], 1)
    call_command("rebuild_rollups", verbosity=0)
    assert told() == by_the_ledger()
    spend(run)
    fold()
    assert [row[6] for row in kept() if row[4]] == [Decimal("0.20")]
