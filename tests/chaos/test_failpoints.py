"""Break the system at every place that has a name, in every way there is, and ask the world outside what came of it.

`make slow` hits every point once, has a death in each kind of work, and repeats what once failed. `make chaos` draws
trials for as long as it may, and plants defects to see that the judge notices. Every failure prints the command that
repeats it.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from audit import failpoints
from tests.faults import active, defects, drawing, driver
from tests.faults.scenarios import SCENARIOS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
ONCE_FAILED = Path(driver.__file__).parent / "once_failed.txt"
# Together they pass every point.
WHOLE = ("costly", "class_b_no_answer", "class_c_no_answer", "retries", "signed", "edited", "asked", "stopped", "handed_back",
         "crew", "foreign", "branches")  # fmt: skip
# A death in the middle of each kind of work, for the default suite.
EACH_ONCE = (
    "three_steps/settle.before:3:stop",
    "class_b/send.answered:1:kill",
    "signed/atomic.redeem._redeem.committed:1:fail",
    "foreign/atomic.idempotency._once.committed:2:kill",
    "stopped/atomic.stops.lift.full:1:drop",
)


@pytest.fixture
def says(capsys):
    """A line for people, at once."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"{line}\n")

    return say


@pytest.fixture
def holds(broken_world):
    """A trial, by its name, breaks no promise. Answers its outcome."""

    def hold(name: str) -> driver.Outcome:
        outcome = driver.run(broken_world, *drawing.read(name))
        assert not outcome.violations, str(outcome)
        return outcome

    return hold


def recordings(world, names=tuple(SCENARIOS)) -> dict[str, list[tuple[str, int]]]:
    return {name: driver.record(world, name) for name in names}


class TestEveryPoint:
    @pytest.mark.slow
    def test_is_passed_by_some_scenario_and_none_is_passed_that_is_not_listed(self, broken_world):
        passed = {point for points in recordings(broken_world, WHOLE).values() for point, _ in points}

        assert sorted(passed - failpoints.every_point()) == []
        assert sorted(failpoints.every_point() - passed) == []


@pytest.mark.slow
class TestADeath:
    def test_in_the_middle_of_work_breaks_no_promise(self, holds):
        for name in EACH_ONCE:
            assert holds(name).fired
        for line in ONCE_FAILED.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                holds(line.split()[0])


class TestAPlantedDefect:
    """One of them here; all of them under `make chaos`."""

    @pytest.mark.slow
    def test_is_noticed(self, broken_world):
        assert noticed(broken_world, "the fence is not checked")

    @pytest.mark.chaos
    @pytest.mark.parametrize("name", defects.DEFECTS)
    def test_is_noticed_within_a_minute_whatever_it_is(self, broken_world, name, says):
        began = time.monotonic()
        violations = noticed(broken_world, name)

        says(f"{name}: {violations[:1]} after {time.monotonic() - began:.1f} s")
        assert violations
        assert time.monotonic() - began < 60

    @pytest.mark.chaos
    def test_is_noticed_by_relays_as_well(self, broken_world):
        name = "a crash does not count as a try"
        defects.plant(name)
        try:
            trials = (driver.run(broken_world, *drawing.relay_of(f"planted:{number}")) for number in range(20))
            found = next((trial.violations for trial in trials if trial.violations), [])
        finally:
            defects.plant(None)
        assert any(violation.startswith(defects.DEFECTS[name].promise) for violation in found)


def noticed(world, name: str) -> list[str]:
    """What the judge says of the first trial in which the defect shows, and of its promise."""
    for trial in defects.DEFECTS[name].shows_in:
        assert not driver.run(world, *drawing.read(trial)).violations
        defects.plant(name)
        try:
            found = driver.run(world, *drawing.read(trial)).violations
        finally:
            defects.plant(None)
        if any(violation.startswith(defects.DEFECTS[name].promise) for violation in found):
            return found
    return []


@pytest.mark.chaos
@pytest.mark.timeout(0)
class TestTrials:
    def test_repeat(self, holds, pytestconfig, says):
        """What `--trial` names, as often as it is named."""
        for name in pytestconfig.option.trial:
            says(f"{name}: fired {holds(name).fired}")

    def test_of_every_point_once_break_no_promise(self, broken_world, pytestconfig, says):
        """Each point of each scenario, at its first and its last hit, killed."""
        faults = [
            (scenario, active.Fault(point, hit, "kill"))
            for scenario, passed in recordings(broken_world).items()
            for point, hits in _first_and_last(passed).items()
            for hit in hits
        ]
        _judge([driver.run(broken_world, scenario, [fault]) for scenario, fault in faults], says, "every point, killed")

    def test_drawn_by_seed_break_no_promise(self, broken_world, pytestconfig, says):
        """For `--seconds`. Singles, relays of up to 24 deaths, and pairs of any two faults."""
        recorded = recordings(broken_world)
        seed = pytestconfig.option.seed or str(int(time.time()))
        outcomes, end = [], time.monotonic() + pytestconfig.option.seconds
        while time.monotonic() < end:
            drawn = drawing.dice_of(recorded, f"{seed}:{len(outcomes)}")
            outcomes.append(driver.run(broken_world, *drawn))
            if outcomes[-1].violations:
                says(str(outcomes[-1]))
        _judge(outcomes, says, f"seed {seed}")

    def test_in_relays_break_no_promise(self, broken_world, pytestconfig, says):
        """For `--seconds`: processes follow each other in one trial, and each is killed soon after it began."""
        seed = pytestconfig.option.seed or str(int(time.time()))
        outcomes, end = [], time.monotonic() + pytestconfig.option.seconds
        while time.monotonic() < end:
            outcomes.append(driver.run(broken_world, *drawing.relay_of(f"{seed}:{len(outcomes)}")))
            if outcomes[-1].violations:
                says(str(outcomes[-1]))
        _judge(outcomes, says, f"relays of seed {seed}")


def _first_and_last(passed: list[tuple[str, int]]) -> dict[str, set[int]]:
    last = dict(passed)
    return {point: {1, hit} for point, hit in last.items()}


def _judge(outcomes: list[driver.Outcome], says, name: str) -> None:
    """Figures for people, then the verdict."""
    actions = Counter(fault.rpartition(":")[2] for outcome in outcomes for fault in outcome.fired)
    places = set[str]().union(*(outcome.places for outcome in outcomes))
    deaths = [death for outcome in outcomes for death in outcome.deaths]
    says(
        f"{name}: {len(outcomes)} trials, {actions.total()} faults at {len(places)} points, {dict(actions)}; "
        f"{len(deaths)} kill -9 at {len({place for place, _ in deaths})} points, of {dict(Counter(kind for _, kind in deaths))}; "
        f"{sum(outcome.seconds for outcome in outcomes):.0f} s; "
        f"{sum(bool(outcome.violations) for outcome in outcomes)} broke a promise"
    )
    broken = [str(outcome) for outcome in outcomes if outcome.violations]
    assert not broken, "\n".join(broken)
