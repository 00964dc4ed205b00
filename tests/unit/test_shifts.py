"""The three tests behind alerts of drift: against known values, and against chance."""

import random
from statistics import median

import pytest

from orchestrator.health.shifts import (
    CHANCE,
    EXPECTED,
    LEAST,
    Ranks,
    Share,
    chance_of_ranks,
    chance_of_silence,
    chance_of_so_many,
    fell,
    is_quiet,
    rose,
    shifted,
)


def ranks(before, now):
    whole = sorted([*before, *now])
    place = {value: whole.index(value) + (whole.count(value) + 1) / 2 for value in set(whole)}
    ties = sum(whole.count(value) ** 3 - whole.count(value) for value in set(whole))
    return Ranks(len(before), len(now), sum(place[value] for value in now), ties, median(before), median(now))


class TestTheChance:
    def test_of_so_many_hits_is_fishers(self):
        """The table of 1, 9, 11 and 3 in every textbook: 0.0013797."""
        assert chance_of_so_many(Share(1, 12), Share(9, 12)) == pytest.approx(0.001379728, rel=1e-6)
        assert chance_of_so_many(Share(0, 20), Share(0, 20)) == pytest.approx(1)

    def test_of_ranks_is_wilcoxons(self):
        """1 to 10 against 6 to 15, with ties at 6 to 10: U = 12.5, z = 2.804 (half a rank taken off)."""
        assert chance_of_ranks(ranks(range(1, 11), range(6, 16))) == pytest.approx(0.0051, abs=3e-4)
        assert chance_of_ranks(ranks([3] * 20, [3] * 20)) == 1.0

    def test_of_a_silence_is_what_random_gaps_show(self):
        dice, longer = random.Random(1), 0
        for _ in range(20_000):
            gaps = [dice.expovariate(1) for _ in range(21)]
            longer += gaps.pop() > 1.5 * max(gaps)
        assert longer / 20_000 == pytest.approx(chance_of_silence(20, 1.5), rel=0.15)


class TestAShift:
    def test_is_seen_both_in_shares_and_amounts_however_it_is_distributed(self):
        dice = random.Random(2)
        assert fell(Share(98, 100), Share(12, 20))
        assert rose(Share(2, 100), Share(8, 20))
        assert shifted(
            ranks([dice.lognormvariate(0, 1) for _ in range(200)], [dice.lognormvariate(1.5, 1) for _ in range(60)])
        )

    def test_of_a_few_or_by_little_is_none(self):
        assert not fell(Share(LEAST - 1, LEAST - 1), Share(0, 1000))
        assert not fell(Share(1000, 1000), Share(0, LEAST - 1))
        assert not fell(Share(1_000_000, 1_000_000), Share(960_000, 1_000_000))
        assert not shifted(ranks([1.0 + n / 1e6 for n in range(100)], [1.4 + n / 1e6 for n in range(100)]))

    def test_by_chance_is_rarer_than_promised(self):
        """A hundred thousand looks at data that do not change: at most the one that the bound allows."""
        dice, false = random.Random(3), 0
        for _ in range(50_000):
            rate = dice.random()
            before, now = dice.randrange(20, 300), dice.randrange(20, 100)
            hits = [sum(dice.random() < rate for _ in range(size)) for size in (before // 4 + 20, now // 4 + 20)]
            sizes = (before // 4 + 20, now // 4 + 20)
            false += fell(Share(hits[0], sizes[0]), Share(hits[1], sizes[1]))
        assert false <= 50_000 * CHANCE + 1

    def test_of_amounts_by_chance_is_rarer_than_promised(self):
        dice, false = random.Random(4), 0
        for _ in range(400):
            draw = dice.choice(
                [lambda: dice.expovariate(1), lambda: dice.paretovariate(1.2), lambda: dice.randrange(5)]
            )
            false += shifted(ranks([draw() for _ in range(60)], [draw() for _ in range(25)]))
        assert false == 0


class TestASilence:
    def test_is_quiet_only_when_it_is_much_longer_than_any_before(self):
        assert is_quiet(27, 24.0, 24.0 * 3)
        assert not is_quiet(27, 24.0, 24.0 * 2)
        assert not is_quiet(LEAST - 1, 1.0, 1000.0)

    def test_of_calls_at_random_is_quiet_once_in_a_hundred_windows_at_most(self):
        """Five hundred flows of four weeks; each is looked at when each of its last gaps is at its longest."""
        dice, false, looks = random.Random(5), 0, 500
        for _ in range(looks):
            gaps = [dice.expovariate(1) for _ in range(400)]
            for place in range(200, 400):
                past = gaps[place - 200 : place]
                longest = max(past)
                false += is_quiet(sum(gap > longest / 10 for gap in past), longest, gaps[place])
        assert false <= looks * 2 * EXPECTED
