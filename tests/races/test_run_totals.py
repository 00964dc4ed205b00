"""What each execution has cost, kept beside the ledger: however lines arrive and whenever they are added, the dearest and the
search for traces by cost say what the ledger says.
"""

import random
from collections import defaultdict
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import transaction

from audit import scope
from budgets.models import LedgerEntry
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from orchestrator.engine.sums.rollups import fold
from orchestrator.models import Execution, RunTotal
from orchestrator.models.run_total import MEASURES
from orchestrator.queries import trace_conditions
from orchestrator.queries.cost_groups import Period, groups
from orchestrator.queries.trace_search import began
from tests import make
from tests.races.racing import race
from tests.races.test_rollups import second_connection

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]
LIMITS = [Decimal(text) for text in ("0", "0.1", "0.4", "1")]


class World:
    """Two units with executions of three days, one of them undone, and an id that a caller made up. Vera sees both units."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.units = [make.unit("finance"), make.unit("sales")]
        for unit in self.units:
            vera = make.person("vera", "view", of=unit)
        self.vera, self.ann = make.actor(vera), make.actor(make.person("ann", "view", of=self.units[0]))
        self.runs = [make.execution("succeeded") for _ in range(3)]
        for days, run in enumerate(self.runs):
            make.later("orchestrator_execution", "created_at", run.pk, days * 86_400)
            run.refresh_from_db()
        self.runs.append(make.undo_of(self.runs[0]))
        self.ids = [None, uuid4(), *(run.pk for run in self.runs)]

    def spend(self):
        cost, currency = self.chance.choice([(f"0.{self.chance.randint(1, 30):02}", "USD"), ("0.2", "EUR"), (None, "")])
        usage = Usage(cost=cost and Decimal(cost), currency=currency, model="house", input_tokens=10, output_tokens=1)
        # Mostly by the unit whose executions these are, seldom by the other.
        unit = self.chance.choices(self.units, [9, 1])[0]
        charge(usage, Place(unit_id=unit.pk, execution_id=self.chance.choice(self.ids)))

    def correct(self):
        line = self.chance.choice([*LedgerEntry.objects.exclude(kind="correction")] or [None])
        if line:
            to, currency = Decimal(self.chance.randint(0, 99)) / 100, line.currency or "USD"
            correct(line, to=to, currency=currency, why="An invoice", by=self.vera)

    def undone(self):
        with transaction.atomic():
            self.spend()
            transaction.set_rollback(True)


def totals(actor):
    return {(row["group"], row["currency"]): {**row} for row in groups(units_of(actor), Period(), "execution", 1_000)}


def units_of(actor):
    return scope.unit_ids(actor, "view")


def totals_by_the_ledger(actor):
    found = {}
    for line in LedgerEntry.objects.with_corrections().filter(unit_id__in=units_of(actor)):
        key = (line.execution_id, line.currency)
        empty = {
            "group": key[0],
            "currency": key[1],
            "cost": None,
            "calls": 0,
            "missing": 0,
            "tokens_in": 0,
            "tokens_out": 0,
        }
        row = found.setdefault(key, empty)
        if line.amount is not None:
            row["cost"] = (row["cost"] or 0) + line.amount
        row["calls"] += line.kind != "correction"
        row["missing"] += line.amount is None and not line.is_corrected
        row["tokens_in"] += line.input_tokens
        row["tokens_out"] += line.output_tokens
    return found


def traces(actor, least, since=None):
    rows = began(actor).filter(trace_conditions.CONDITIONS["cost"](actor, least, (since, None)))
    return set((rows.filter(created_at__gte=since) if since else rows).values_list("pk", flat=True))


def traces_by_the_ledger(actor, least):
    roots = dict(Execution.objects.visible_to(actor).values_list("pk", "root_id"))
    sums = defaultdict(list)
    for line in LedgerEntry.objects.filter(amount__isnull=False, execution_id__in=roots):
        sums[roots[line.execution_id], line.currency].append(line.amount)
    return {root for (root, _), amounts in sums.items() if sum(amounts) >= least}


def agrees(world):
    for actor in (world.vera, world.ann):
        assert totals(actor) == totals_by_the_ledger(actor)
        for least in LIMITS:
            found = traces_by_the_ledger(actor, least)
            assert traces(actor, least) == found, least
            newest = {run.pk for run in world.runs[:2]}
            assert traces(actor, least, world.runs[1].created_at) == found & newest, least


@pytest.mark.parametrize("few", [trace_conditions.FEW, 1], ids=["few read first", "many walked through"])
@pytest.mark.parametrize("seed", range(2))
def test_totals_and_searches_say_what_the_ledger_says(monkeypatch, seed, few):
    monkeypatch.setattr(trace_conditions, "FEW", few)
    world = World(seed)
    with second_connection() as other:
        open_there = False
        for number in range(30):
            act = world.chance.choice(("spend", "spend", "correct", "late", "fold", "undone"))
            if act == "fold":
                fold()
            elif act == "late":
                other.execute("COMMIT") if open_there else late_line(other, world)
                open_there = not open_there
            else:
                getattr(world, act)()
            if number % 3 == 2:
                agrees(world)
        other.execute("COMMIT")
    fold()
    in_steps = kept()
    call_command("rebuild_rollups", verbosity=0)
    assert in_steps == kept()
    agrees(world)


def late_line(other, world):
    """A line of an execution, in a transaction of its own that is still open."""
    other.execute("BEGIN")
    other.execute(
        "INSERT INTO budgets_ledgerentry (id, unit_id, execution_id, agent, tool, model, amount, currency, basis, input_tokens,"
        " output_tokens) VALUES (gen_random_uuid(), %s, %s, 'poster', '', 'house', 0.10, 'USD', 'reported', 100, 10)",
        [world.units[0].pk, world.chance.choice(world.runs).pk],
    )


def kept():
    rows = RunTotal.objects.values_list("execution_id", "unit_id", "currency", "shared", "cost", *MEASURES)
    return sorted(rows, key=str)


def test_two_sweeps_at_once_add_each_line_once():
    world = World(0)
    for _ in range(4):
        for _ in range(4):
            world.spend()
        assert race(fold, fold, fold) == [None, None, None]
    fold()
    agrees(world)
    assert fold() == 0


def test_the_dearest_come_first_and_what_nobody_priced_last():
    world = World(0)
    for number, run in enumerate(world.runs):
        cost = Decimal(number) if number else None
        usage = Usage(cost=cost, currency="USD" if number else "", model="house", input_tokens=10)
        charge(usage, Place(unit_id=world.units[0].pk, execution_id=run.pk))
    fold()
    charge(
        Usage(cost=Decimal(9), currency="USD", model="house"),
        Place(unit_id=world.units[0].pk, execution_id=world.runs[1].pk),
    )

    rows = groups(units_of(world.ann), Period(), "execution", 3)

    assert [(row["group"], row["cost"]) for row in rows] == [
        (world.runs[n].pk, cost) for n, cost in ((1, 10), (3, 3), (2, 2))
    ]
    assert groups(units_of(world.ann), Period(), "execution", 9)[-1]["group"] == world.runs[0].pk
