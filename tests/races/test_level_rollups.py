"""Facts and sums of service levels follow ends, retries, redrives, approvals, undoing and late lines: kept in steps, they say
what stored rows say.
"""

import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction

from audit.actors import agent
from audit.lifecycle import database_now
from budgets.models import BusinessUnit
from orchestrator.engine.sums.rollups import fold
from orchestrator.gate.propose import ExecutionOver, propose
from orchestrator.health import level_rows
from orchestrator.health.level_rows import GROUPS, Span, lines
from orchestrator.models import CostFold, Execution, LevelRollup, RunLevel
from orchestrator.models.level import SUMS
from orchestrator.releases.undoing import undo_execution
from tests import make, worlds
from tests.races.racing import race
from tests.races.test_run_rollups import History, spend
from tests.races.test_undo import TOOLS, WORKFLOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def span():
    units, now = BusinessUnit.objects.values_list("pk", flat=True), database_now()
    return Span(units=frozenset(units), since=now - timedelta(days=1), until=now + timedelta(hours=1))


def told(asked):
    return {by: lines(asked, by=by) for by in GROUPS}


def by_stored_rows(asked):
    """What they say where nothing is kept."""
    with transaction.atomic():
        CostFold.objects.update(levels_before=0)
        LevelRollup.objects.all().delete()
        RunLevel.objects.all().delete()
        found = told(asked)
        transaction.set_rollback(True)
    return {by: [replace(line, is_kept=True) for line in rows] for by, rows in found.items()}


def by_sums(asked, monkeypatch):
    with monkeypatch.context() as many:
        many.setattr(level_rows, "EXACT_UP_TO", -1)
        return told(asked)


def near(exact):
    """The same line out of sums: all of it, but times within what a tally is."""
    pairs = {name: tuple(map(nearly, pair)) for name, pair in exact.percentiles.items()}
    seconds, cost = pytest.approx(exact.seconds), pytest.approx(exact.cost)
    return level_rows.Line(exact.called, exact.sums, cost, seconds, pairs, is_exact=False, is_kept=True)


def nearly(time):
    """Between a time below a millisecond, which counts as 0, and a longer one both errors add up."""
    return None if time is None else pytest.approx(time, rel=0, abs=0.045 * time + 0.001)


def kept():
    rows = LevelRollup.objects.values_list("unit_id", "day", "by", "line", *SUMS)
    return sorted((row for row in rows if any(row[4:])), key=str)


class WithAgents(History):
    """Agents propose calls in what goes on, which the gate denies."""

    def goes_on(self):
        return super().goes_on() if self.chance.random() < 0.8 or not self.runs else self.propose()

    def propose(self):
        name, run = self.chance.choice(["poster", "looker"]), self.chance.choice(self.runs)
        by = agent(name, unit_ids=frozenset({run.unit_id}), scopes=frozenset())
        with suppress(ExecutionOver):
            propose(tool="no.such", arguments={}, agent=name, unit_id=run.unit_id, execution_id=run.pk, by=by)
        return "propose"


@pytest.mark.parametrize("seed", range(2))
def test_kept_in_steps_they_say_what_stored_rows_say(seed, monkeypatch):
    history, ran = WithAgents(seed), Counter()
    for _ in range(30):
        ran[history.goes_on()] += 1
        asked = span()
        exact = by_stored_rows(asked)
        assert told(asked) == exact, ran
        assert by_sums(asked, monkeypatch) == {by: [near(line) for line in found] for by, found in exact.items()}, ran
    fold()
    in_steps = kept()
    call_command("rebuild_rollups", verbosity=0)
    assert in_steps == kept() != []
    assert told(asked) == by_stored_rows(asked)


def test_an_execution_that_is_undone_counts_as_undone_whenever_the_sweep_ran(tmp_path):
    world = worlds.world()
    worlds.publish(tmp_path / "workflow", WORKFLOW, worlds.HANDLERS, tools=TOOLS)
    execution = worlds.start(world, "outside")
    worlds.work()
    fold()
    undo_execution(execution_id=execution.pk, by=world.ada, why="booked twice")

    assert lines(span(), by="workflow")[0].sums["undone"] == 1
    fold()
    assert lines(span(), by="workflow")[0].sums["undone"] == 1
    worlds.work()
    fold()
    assert told(span()) == by_stored_rows(span())


def test_two_sweeps_at_once_count_each_execution_once():
    for _ in range(3):
        spend(make.execution("succeeded"))
        assert race(fold, fold, fold) == [None, None, None]
    fold()
    assert [row[4] for row in kept() if row[2] == "unit"] == [3]


@pytest.mark.parametrize("days", [0.1, 1, 2.5, 4])
def test_sums_count_the_same_executions_wherever_a_range_begins_and_ends(days, monkeypatch):
    """Days whole and in parts, of executions that were asked for at any time of five days."""
    chance = random.Random(days)
    for _ in range(12):
        run = make.execution(chance.choice(["succeeded", "failed", "waiting"]))
        Execution.objects.filter(pk=run.pk).update(created_at=run.created_at - timedelta(days=chance.uniform(0, 5)))
    call_command("rebuild_rollups", verbosity=0)
    for _ in range(12):
        since = database_now() - timedelta(days=chance.uniform(0, 5))
        asked = Span(units=span().units, since=since, until=since + timedelta(days=days))
        exact = by_stored_rows(asked)
        assert by_sums(asked, monkeypatch) == {by: [near(line) for line in found] for by, found in exact.items()}


def test_a_hundred_lines_are_told_the_same_by_sums(monkeypatch):
    for number in range(105):
        make.execution("queued", name=f"flow-{number % 103:03}")
    fold()
    exact = lines(span(), by="workflow")

    assert [line.called for line in exact[:4]] == ["", "flow-000", "flow-001", "flow-002"]
    assert len(exact) == 101
    assert [line.called for line in by_sums(span(), monkeypatch)["workflow"]] == [line.called for line in exact]


def test_nothing_is_kept_before_the_command_has_run_where_executions_were_there_already():
    make.execution("succeeded")
    CostFold.objects.update(levels_before=0)
    fold()
    assert (kept(), lines(span(), by="workflow")[0].sums["succeeded"]) == ([], 1)
    call_command("rebuild_rollups", verbosity=0)
    make.execution("failed")
    fold()
    assert [row[4] for row in kept() if row[2] == "unit"] == [2]
    assert told(span()) == by_stored_rows(span())
