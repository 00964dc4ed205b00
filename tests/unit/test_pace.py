"""How many claims a host makes, and how close to each other."""

import pytest

from orchestrator.engine.workers.pace import APART_SECONDS, Pace


@pytest.fixture
def pace():
    return Pace(hands=16)


class TestRoom:
    def test_is_every_hand_of_a_host_at_rest(self, pace):
        assert pace.room(0, now=0) == 16

    def test_is_what_is_free_behind_steps_that_take_long(self, pace):
        pace.claimed(16, now=0)
        assert pace.room(15, now=60) == 1
        assert pace.room(16, now=60) == 0

    def test_looks_ahead_where_hands_get_free_quickly(self, pace):
        pace.claimed(40, now=0)
        assert pace.room(16, now=0.5) == 10

    def test_is_filled_up_again_when_half_of_what_waits_is_gone(self, pace):
        pace.claimed(40, now=0)
        assert pace.room(20, now=0.5) == 6
        assert pace.room(21, now=0.5) == 0

    def test_never_looks_further_ahead_than_one_claim_for_every_hand(self, pace):
        pace.claimed(4000, now=0)
        assert pace.room(31, now=0.5) == 0
        assert pace.room(0, now=0.5) == 16


class TestRest:
    def test_is_nothing_before_the_first_claim(self, pace):
        assert pace.rest(16, now=0) == 0

    def test_is_nothing_while_no_hand_is_at_work(self, pace):
        pace.claimed(1, now=0)
        assert pace.rest(0, now=0) == 0

    def test_is_nothing_where_one_execution_follows_the_other(self, pace):
        pace.claimed(1, now=0)
        assert pace.rest(2, now=0) == 0

    def test_grows_with_the_hands_at_work(self, pace):
        pace.claimed(1, now=0)
        assert pace.rest(3, now=0) == pytest.approx(APART_SECONDS * 3 / 4)
        assert pace.rest(4, now=0) == pace.rest(16, now=0) == pace.rest(32, now=0) == pytest.approx(APART_SECONDS)

    def test_is_nothing_where_what_is_due_fills_half_of_the_hands(self, pace):
        pace.claimed(16, now=0)
        assert pace.rest(24, now=0, backlog=8) == 0
        assert pace.rest(24, now=0, backlog=7) == pytest.approx(APART_SECONDS)

    def test_ends_by_itself(self, pace):
        pace.claimed(1, now=0)
        assert pace.rest(16, now=0.01) == pytest.approx(APART_SECONDS - 0.01)
        assert pace.rest(16, now=1) == 0
