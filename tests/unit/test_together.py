"""Group commit: nobody waits for company, nobody is forgotten, and one bad wish takes nobody with it."""

import threading
import time

import pytest

from orchestrator.engine.together import Together

PATIENCE = 5.0


class Clerk:
    """Writes what it is given, and keeps the batches. Holds the pen while `pause` is not set."""

    def __init__(self):
        self.batches = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Event()

    def write(self, items):
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        self.batches.append(list(items))
        return [ValueError(item) if item < 0 else item * 10 for item in items]


@pytest.fixture
def clerk():
    return Clerk()


def come(together, *items):
    """One thread per item; what each of them got, by item."""
    got = {}

    def wish(item):
        try:
            got[item] = together(item)
        except Exception as error:
            got[item] = error

    threads = [threading.Thread(target=wish, args=[item]) for item in items]
    for thread in threads:
        thread.start()
    return got, threads


def all_end(threads):
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class TestTogether:
    def test_writes_for_whoever_comes_alone_at_once(self, clerk):
        together = Together(clerk.write, most=8, patience_seconds=PATIENCE)
        with together.member():
            assert [together(1), together(2)] == [10, 20]
        assert clerk.batches == [[1], [2]]

    def test_writes_in_one_go_for_all_who_came_while_it_wrote(self, clerk):
        together = Together(clerk.write, most=8, patience_seconds=0)
        clerk.go_on.clear()
        first, writing = come(together, 1)
        assert clerk.begun.wait(PATIENCE)
        others, waiting = come(together, 2, 3, 4)
        wait_until(lambda: len(together._waiting) == 3)

        clerk.go_on.set()
        all_end(writing + waiting)

        assert {**first, **others} == {1: 10, 2: 20, 3: 30, 4: 40}
        assert [sorted(batch) for batch in clerk.batches] == [[1], [2, 3, 4]]

    def test_takes_no_more_at_once_than_it_may(self, clerk):
        together = Together(clerk.write, most=2, patience_seconds=0)
        clerk.go_on.clear()
        _, writing = come(together, 1)
        assert clerk.begun.wait(PATIENCE)
        others, waiting = come(together, 2, 3, 4)
        wait_until(lambda: len(together._waiting) == 3)

        clerk.go_on.set()
        all_end(writing + waiting)

        assert others == {2: 20, 3: 30, 4: 40}
        assert sorted(len(batch) for batch in clerk.batches) == [1, 1, 2]

    def test_raises_an_outcome_that_is_an_error_only_where_it_belongs(self, clerk):
        together = Together(clerk.write, most=8, patience_seconds=0)
        clerk.go_on.clear()
        _, writing = come(together, 1)
        assert clerk.begun.wait(PATIENCE)
        others, waiting = come(together, 2, -3)
        wait_until(lambda: len(together._waiting) == 2)
        clerk.go_on.set()
        all_end(writing + waiting)

        assert others[2] == 20
        assert isinstance(others[-3], ValueError)

    def test_raises_what_broke_the_whole_write_in_everybody_and_goes_on(self):
        broken = [True]

        def write(items):
            if broken[0]:
                raise OSError("the line is dead")
            return items

        together = Together(write, most=8, patience_seconds=0)
        with pytest.raises(OSError, match="the line is dead"):
            together(1)
        broken[0] = False
        assert together(2) == 2

    def test_waits_a_moment_for_company_only_where_the_last_write_had_some(self, clerk):
        together = Together(clerk.write, most=8, patience_seconds=PATIENCE)
        together._had_company = True
        with together.member(), together.member():
            got, threads = come(together, 1)
            time.sleep(0.02)
            assert clerk.batches == []
            more, others = come(together, 2)
            all_end(threads + others)

        assert {**got, **more} == {1: 10, 2: 20}
        assert [sorted(batch) for batch in clerk.batches] == [[1, 2]]

    def test_does_not_wait_for_who_has_gone(self, clerk):
        together = Together(clerk.write, most=8, patience_seconds=PATIENCE)
        together._had_company = True
        with together.member():
            with together.member():
                got, threads = come(together, 1)
                time.sleep(0.02)
            all_end(threads)
        assert got == {1: 10}

    def test_forgets_nobody_when_many_come_and_go(self, clerk):
        together = Together(clerk.write, most=4, patience_seconds=0.001)
        sums = []

        def worker(start):
            with together.member():
                sums.append(sum(together(item) for item in range(start, start + 200)))

        threads = [threading.Thread(target=worker, args=[start]) for start in range(0, 1600, 200)]
        for thread in threads:
            thread.start()
        all_end(threads)

        assert sum(sums) == sum(range(1600)) * 10
        assert sorted(item for batch in clerk.batches for item in batch) == list(range(1600))
