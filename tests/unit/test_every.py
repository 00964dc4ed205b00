"""Duties of the sweep that are not done in every round."""

import time

import pytest

from orchestrator.engine import every
from orchestrator.engine.every import Sparing


class TestADutyThatLooksThroughEverything:
    @pytest.fixture(autouse=True)
    def share(self, monkeypatch):
        monkeypatch.setattr(every, "SHARE", 0.02)

    def test_is_done_the_more_seldom_the_longer_it_takes(self):
        done = []
        look = Sparing(lambda: done.append(time.sleep(0.05)) or 0)

        for _ in range(10):
            look()

        assert len(done) == 1

    def test_is_not_left_for_long_because_it_once_had_to_wait(self, monkeypatch):
        monkeypatch.setattr(every, "LONGEST_SECONDS", 0.1)
        done = []
        look = Sparing(lambda: done.append(time.sleep(0.05)) or 0)

        look()
        time.sleep(0.15)
        look()

        assert len(done) == 2

    def test_goes_on_at_once_where_it_finds_something(self):
        found = iter([200, 200, 7, 0, 0])
        look = Sparing(lambda: time.sleep(0.05) or next(found))

        assert [look() for _ in range(6)] == [200, 200, 7, 0, 0, 0]

    def test_is_tried_again_at_once_after_it_failed(self):
        def fail():
            time.sleep(0.05)
            raise ZeroDivisionError

        look = Sparing(fail)

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                look()
