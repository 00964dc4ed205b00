"""Whatever people, workers and the world do to a small workflow, in any order: the same things hold of it.

A history is drawn by seed and played by the system's own verbs (tests/histories); one that fails is made small and printed.
"""

import time
from itertools import count

import pytest

from tests.histories.drawing import History, history_of
from tests.histories.playing import play, shrunk

SHRINK_SECONDS = 300
pytestmark = pytest.mark.usefixtures("looks_at_once")


@pytest.fixture(autouse=True)
def anything_may_break(transactional_db, settings):
    settings.UNDER_TEST = True


def assert_holds(seed: str, history: History) -> None:
    found, _ = play(history)
    if found:
        small = shrunk(history, within=SHRINK_SECONDS)
        problems, told = play(small)
        lines = [f"history {seed}:", *(problems or found), "", small.workflow, repr(small), "", *told]
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.mark.parametrize("seed", ["default/0", "default/1"])
def test_few_things_happen(seed):
    """So that the machine itself is tried by everybody's tests."""
    assert_holds(seed, history_of(seed))


@pytest.mark.chaos
@pytest.mark.timeout(0)
def test_whatever_happens(pytestconfig, record_property):
    """For as long as it is told to."""
    seed = pytestconfig.getoption("seed") or str(int(time.time()))
    ends = time.monotonic() + pytestconfig.getoption("seconds")
    for number in count():
        if time.monotonic() > ends:
            record_property("histories", number)
            break
        assert_holds(f"{seed}/{number}", history_of(f"{seed}/{number}"))


@pytest.mark.chaos
@pytest.mark.timeout(0)
def test_repeat(pytestconfig):
    for seed in pytestconfig.getoption("trial"):
        assert_holds(seed, history_of(seed))
