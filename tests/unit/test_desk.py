"""One desk, several hands: one of them does what lies ready, what is done is written together, nobody waits for a slow one."""

import threading
import time
from contextlib import contextmanager

import pytest

from orchestrator.engine.workers.desk import Desk
from tests.worlds import wait_until

PATIENCE = 5.0


class Office:
    """Its jobs are texts: the letters of one are its steps. `s` is slow: it takes until somebody says `go_on`."""

    def __init__(self, most=8, kept_seconds=PATIENCE):
        self.desk = Desk(self.do, self.write, most=most, over=self.over, kept_seconds=kept_seconds)
        self.did, self.batches, self.ended = [], [], 0
        self.by_hand = {}
        self.go_on, self.slow = threading.Event(), threading.Semaphore(0)
        self.pen_is_free, self.writing = threading.Event(), threading.Semaphore(0)
        self.pen_is_free.set()

    def do(self, job):
        if job.startswith("s"):
            self.slow.release()
            assert self.go_on.wait(PATIENCE)
        self.did.append(job)
        self.by_hand.setdefault(threading.get_ident(), []).append(job)
        match job[0]:
            case "h":  # heavy: it writes by itself
                return job[1:] or None, None
            case _:
                return None, job

    def write(self, done):
        self.writing.release()
        assert self.pen_is_free.wait(PATIENCE)
        self.batches.append(done)
        return [job[1:] or None for job in done]

    def over(self, number):
        self.ended += number

    @contextmanager
    def hands(self, number):
        hands = [threading.Thread(target=self.desk.serve, daemon=True) for _ in range(number)]
        for hand in hands:
            hand.start()
        yield hands
        self.desk.close()
        for hand in hands:
            hand.join(PATIENCE)
        assert not any(hand.is_alive() for hand in hands)


class TestTheDesk:
    def test_one_hand_does_what_lies_ready_and_writes_it_at_once(self):
        office = Office()
        office.desk.put(["qqq", "qq", "q"])
        with office.hands(4):
            wait_until(lambda: office.ended == 3)

        assert office.batches == [["qqq", "qq", "q"], ["qq", "q"], ["q"]]
        assert len(office.by_hand) == 1

    def test_serves_in_the_thread_that_asks_for_it(self):
        office = Office()
        office.desk.put(["qhq"])
        office.desk.close()

        office.desk.serve()

        assert office.did == ["qhq", "hq", "q"]
        assert office.ended == 1

    def test_writes_no_more_at_once_than_it_may(self):
        office = Office(most=2)
        office.desk.put(["q"] * 5)
        with office.hands(3):
            wait_until(lambda: office.ended == 5)

        assert [len(batch) for batch in office.batches] == [2, 2, 1]

    @pytest.mark.parametrize("hands", [2, 4])
    def test_what_lies_behind_a_slow_one_is_done_by_another_hand(self, hands):
        office = Office(kept_seconds=0.003)
        with office.hands(hands):
            office.desk.put(["s", "qq", "hq"])
            wait_until(lambda: office.ended == 2)

            assert office.did == ["qq", "hq", "q", "q"]
            office.go_on.set()
        assert office.ended == 3

    def test_what_comes_while_a_hand_is_kept_is_done(self):
        """Nothing lay ready when it went away, so nobody kept an eye on it."""
        office = Office(kept_seconds=0.003)
        with office.hands(2):
            office.desk.put(["s"])
            assert office.slow.acquire(timeout=PATIENCE)
            time.sleep(0.02)
            office.desk.put(["q"])
            wait_until(lambda: office.ended == 1)
            office.go_on.set()

    def test_as_many_are_kept_at_a_time_as_there_are_hands(self):
        office = Office(kept_seconds=0.001)
        with office.hands(8):
            office.desk.put(["s"] * 8)
            for _ in range(8):
                assert office.slow.acquire(timeout=PATIENCE)
            office.go_on.set()
        assert office.ended == 8

    def test_nobody_takes_the_place_of_a_hand_that_is_not_kept(self):
        office = Office()
        with office.hands(4):
            office.desk.put(["s", "q"])
            assert office.slow.acquire(timeout=PATIENCE)
            time.sleep(0.02)
            assert office.did == []
            office.go_on.set()
        assert len(office.by_hand) == 1

    def test_goes_on_while_somebody_writes_and_one_writes_at_a_time(self):
        office = Office()
        office.pen_is_free.clear()
        with office.hands(3):
            office.desk.put(["q"])
            assert office.writing.acquire(timeout=PATIENCE)
            office.desk.put(["qq", "q"])
            wait_until(lambda: len(office.did) == 3)
            time.sleep(0.02)
            assert not office.writing.acquire(blocking=False)
            office.pen_is_free.set()
        assert office.batches[:2] == [["q"], ["qq", "q"]]

    def test_hands_that_rest_leave_when_it_closes(self):
        office = Office()
        with office.hands(4):
            wait_until(lambda: len(office.desk._resting) == 4)

    def test_closes_only_when_nothing_is_under_way(self):
        office = Office()
        with office.hands(2) as hands:
            office.desk.put(["sqq", "q"])
            assert office.slow.acquire(timeout=PATIENCE)
            office.desk.close()
            time.sleep(0.02)
            assert all(hand.is_alive() for hand in hands)
            office.go_on.set()
        assert office.ended == 2

    def test_nothing_is_lost_or_done_twice_under_load(self):
        office = Office(kept_seconds=0.0001)
        office.go_on.set()
        jobs = ["qhsqhhq", "sss", "hhhh", "q"] * 200
        with office.hands(6):
            for start in range(0, len(jobs), 7):
                office.desk.put(jobs[start : start + 7])
            wait_until(lambda: office.ended == len(jobs))

        expected = sorted(job[n:] for job in jobs for n in range(len(job)))
        assert sorted(office.did) == expected
        assert sum(map(len, office.batches)) == sum(job[0] != "h" for job in expected)
