"""Roll-ups follow the ledger by closed transactions: in whatever order they commit, each line counts once."""

import random
from contextlib import closing
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Sum

from budgets.models import LedgerEntry
from budgets.money import to_ledger
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from orchestrator.engine.sums import rollups
from orchestrator.engine.sums.rollups import KEY, fold
from orchestrator.models import Cost, CostRollup
from orchestrator.models.cost import MEASURES
from orchestrator.queries.cost_groups import Period, spent
from orchestrator.queries.costs import cost_of
from tests import make
from tests.races.racing import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def spend(unit, cost="0.10", **more):
    usage = {"cost": None if cost is None else Decimal(cost), "currency": "USD" if cost else "", "model": "house"}
    return charge(Usage(**usage, input_tokens=100, output_tokens=10, **more), Place(unit_id=unit.pk, agent="poster"))


def totals(model):
    return model.objects.aggregate(**{f"all_{name}": Sum(name) for name in MEASURES})


def buckets():
    return sorted(CostRollup.objects.values_list(*KEY, *MEASURES))


def late_line(other, unit):
    """A line like spend()'s, written in a transaction of its own that is still open."""
    other.execute("BEGIN")
    other.execute(
        "INSERT INTO budgets_ledgerentry (id, unit_id, agent, tool, model, amount, currency, basis, input_tokens, output_tokens)"
        " VALUES (gen_random_uuid(), %s, 'poster', '', 'house', 0.10, 'USD', 'reported', 100, 10)",
        [unit.pk],
    )


def second_connection():
    connection.ensure_connection()
    return closing(connection.copy().get_new_connection(connection.get_connection_params()))


def test_a_line_that_commits_late_is_folded_late():
    unit = make.unit()
    with second_connection() as other:
        late_line(other, unit)
        spend(unit)  # begun later, committed earlier
        fold()
        assert totals(Cost)["all_amount"] == Decimal("0.10")
        other.execute("COMMIT")
        assert totals(Cost)["all_amount"] == Decimal("0.20")
    fold()
    assert totals(CostRollup)["all_amount"] == Decimal("0.20")


def test_two_sweeps_at_once_fold_each_line_once():
    unit = make.unit()
    for _ in range(5):
        for _ in range(4):
            spend(unit)
        assert race(fold, fold, fold) == [None, None, None]
    fold()
    assert totals(CostRollup)["all_lines"] == 20
    assert fold() == 0


def test_an_unknown_cost_is_known_from_its_first_correction_on_and_once():
    unit, who = make.unit(), make.actor(make.person("ann"))
    line = spend(unit, None)
    fold()
    assert totals(Cost)["all_unknown"] == 1
    correct(line, to=Decimal("0.30"), currency="USD", why="The invoice says so", by=who)
    assert totals(Cost)["all_unknown"] == 0
    fold()
    correct(line, to=Decimal("0.20"), currency="USD", why="A credit note", by=who)
    fold()
    found = totals(CostRollup)
    assert (found["all_unknown"], found["all_amount"], found["all_lines"]) == (0, Decimal("0.20"), 1)


@pytest.mark.parametrize("seed", range(3))
def test_folding_in_steps_says_what_folding_at_once_says(seed):
    chance, unit, who = random.Random(seed), make.unit(), make.actor(make.person("ann"))
    spend(unit)
    with second_connection() as other:
        open_there = False
        for _ in range(60):
            act = chance.choice(("spend", "unknown", "correct", "late", "fold", "fold", "undone"))
            if act == "spend":
                spend(unit, str(chance.randint(1, 900) / 1000))
            elif act == "unknown":
                spend(unit, None)
            elif act == "correct":
                _correct_one(chance, who)
            elif act == "late":
                other.execute("COMMIT") if open_there else late_line(other, unit)
                open_there = not open_there
            elif act == "undone":
                with transaction.atomic():
                    spend(unit)
                    transaction.set_rollback(True)
            else:
                fold()
            assert totals(Cost)["all_amount"] == LedgerEntry.objects.aggregate(sum=Sum("amount"))["sum"]
            assert spent({unit.pk}, Period(), agent="poster") == cost_of(LedgerEntry.objects.all())
        other.execute("COMMIT")
    fold()
    in_steps = buckets()
    call_command("rebuild_rollups", verbosity=0)
    assert [row for row in in_steps if any(row[len(KEY) :])] == [row for row in buckets() if any(row[len(KEY) :])]
    uncorrected = LedgerEntry.objects.with_corrections().filter(amount=None, is_corrected=False).count()
    assert totals(CostRollup)["all_unknown"] == uncorrected


def _correct_one(chance, who):
    lines = list(LedgerEntry.objects.exclude(kind="correction"))
    if lines:
        correct(
            chance.choice(lines),
            to=to_ledger(Decimal(chance.randint(1000, 9999)) / 7),
            currency="USD",
            why="Checked",
            by=who,
        )


def test_rebuilding_mends_what_was_broken():
    spend(make.unit())
    fold()
    CostRollup.objects.update(amount=99)
    assert rollups.rebuild() == 2  # the bucket, and the total of what is of no execution
    assert totals(CostRollup)["all_amount"] == Decimal("0.10")
