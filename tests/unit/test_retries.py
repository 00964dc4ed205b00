"""Whether a failed step is tried again, and after how long: a value of the rule, the tries so far, the failure and the dice."""

import pytest

from orchestrator.engine.retries import Failure, GiveUp, RetryAfter, decide
from orchestrator.workflows.retry_fields import NEVER_RETRIED, RETRIABLE
from orchestrator.workflows.spec import RetryRule, RetrySpec

RULE = RetrySpec(max_attempts=9, base_seconds=2, factor=3, ceiling_seconds=100)


def decided(tries, failure_class="system", *, policy=RULE, jitter=0.0):
    return decide(policy=policy, tries=tries, failure=Failure(failure_class, "it broke"), jitter=jitter)


class TestWhatIsTriedAgain:
    @pytest.mark.parametrize("failure_class", RETRIABLE)
    def test_may_help(self, failure_class):
        assert isinstance(decided(1, failure_class), RetryAfter)

    @pytest.mark.parametrize("failure_class", [*NEVER_RETRIED, "of a later version"])
    def test_is_nothing_else(self, failure_class):
        words = failure_class.replace("_", " ")
        assert decided(1, failure_class) == GiveUp(f"{words} failures are not retried")

    def test_is_no_class_both_ways(self):
        assert not set(RETRIABLE) & set(NEVER_RETRIED)


class TestTheWait:
    @pytest.mark.parametrize(("tries", "seconds"), [(1, 2), (2, 6), (3, 18), (4, 54), (5, 100), (8, 100)])
    def test_grows_from_the_base_by_the_factor_up_to_the_ceiling(self, tries, seconds):
        assert decided(tries) == RetryAfter(seconds, f"attempt {tries} of 9 failed")

    @pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 100), (0.5, 112.5), (1.0, 125)])
    def test_is_stretched_by_a_quarter_at_most_so_that_what_failed_together_comes_back_apart(self, jitter, seconds):
        assert decided(8, jitter=jitter).seconds == seconds


class TestTheEnd:
    def test_comes_with_the_last_attempt_and_not_before(self):
        assert isinstance(decided(8), RetryAfter)
        assert decided(9) == decided(10) == GiveUp("all 9 attempts used")

    def test_of_a_step_that_has_one_attempt_is_said_so(self):
        assert decided(1, policy=RetrySpec(max_attempts=1)) == GiveUp("its only attempt is used")

    def test_is_that_of_the_rule_for_the_class(self):
        policy = RetrySpec(max_attempts=9, by_class={"timeout": RetryRule(max_attempts=2, base_seconds=7)})

        assert decided(1, "timeout", policy=policy) == RetryAfter(7, "attempt 1 of 2 failed")
        assert decided(2, "timeout", policy=policy) == GiveUp("all 2 attempts used")
        assert isinstance(decided(2, "system", policy=policy), RetryAfter)
