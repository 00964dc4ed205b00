"""Has it changed, or is it chance? Three tests that assume no distribution, each an error rate and nothing else. Pure.

A share before and now: Fisher's exact test, one-sided. Amounts before and now: Wilcoxon's rank-sum test (Mann-Whitney) with
ties, two-sided, by the normal approximation, which is cautious this far out. A silence: the chance that one gap is so much
longer than the longest of those before, if they came at random (a Poisson process); what comes regularly is rarer still.
"""

from dataclasses import dataclass
from math import exp, fsum, lgamma, log, sqrt
from statistics import NormalDist

# The chance of a false alarm in one look at one figure.
CHANCE = 1e-5
# Less is no sample, on either side.
LEAST = 20
# What is real and small needs nobody: five points of a share, half as much again of an amount.
POINTS, RATIO = 0.05, 1.5
# A silence is an alarm where so few are expected by chance in as long as was looked at.
EXPECTED = 0.01


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of`."""

    hits: int
    of: int

    @property
    def rate(self) -> float:
        return self.hits / self.of


@dataclass(frozen=True, slots=True)
class Ranks:
    """Two samples of amounts as their ranks say: sizes, the ranks of now summed, ties (sum of t^3 - t), both medians."""

    before: int
    now: int
    rank_sum: float
    ties: float
    median_before: float
    median_now: float


def is_enough(before: int, now: int) -> bool:
    return before >= LEAST and now >= LEAST


def rose(before: Share, now: Share) -> bool:
    """Whether the share of hits is higher now than chance explains, and by enough to matter."""
    return is_enough(before.of, now.of) and now.rate - before.rate >= POINTS and chance_of_so_many(before, now) < CHANCE


def fell(before: Share, now: Share) -> bool:
    """The same the other way: misses that rose."""
    return rose(_misses(before), _misses(now))


def shifted(ranks: Ranks) -> bool:
    """Whether amounts are others now than chance explains, in either direction, and by enough to matter."""
    if not is_enough(ranks.before, ranks.now):
        return False
    low, high = sorted((ranks.median_before, ranks.median_now))
    return high > 0 and high >= RATIO * low and chance_of_ranks(ranks) < CHANCE


def is_quiet(gaps: int, longest: float, silence: float) -> bool:
    """Whether a silence is longer than chance explains, after so many gaps of which the longest was so long."""
    return gaps >= LEAST and silence > longest > 0 and gaps * chance_of_silence(gaps, silence / longest) < EXPECTED


def chance_of_so_many(before: Share, now: Share) -> float:
    """Fisher: so many hits now, or more, if all hits had fallen on both sides by chance."""
    hits, whole = before.hits + now.hits, before.of + now.of
    every = _choices(whole, now.of)
    most = min(hits, now.of)
    return fsum(
        exp(_choices(hits, some) + _choices(whole - hits, now.of - some) - every)
        for some in range(now.hits, most + 1)
        if now.of - some <= whole - hits
    )


def chance_of_ranks(ranks: Ranks) -> float:
    """Wilcoxon: ranks of now at least so far from the middle, on either side."""
    before, now = ranks.before, ranks.now
    whole = before + now
    spread = before * now / 12 * (whole + 1 - ranks.ties / (whole * (whole - 1)))
    if spread <= 0:
        return 1.0
    # Half a rank towards the middle: ranks are whole numbers.
    far = max(abs(ranks.rank_sum - now * (whole + 1) / 2) - 0.5, 0) / sqrt(spread)
    return 2 * NormalDist().cdf(-far)


def chance_of_silence(gaps: int, times: float) -> float:
    """A gap longer than so many times the longest of the others, if all are exponential: n B(n, times + 1)."""
    return exp(log(gaps) + lgamma(gaps) + lgamma(times + 1) - lgamma(gaps + times + 1))


def _misses(share: Share) -> Share:
    return Share(share.of - share.hits, share.of)


def _choices(of: int, some: int) -> float:
    """The logarithm of the number of ways to take some of them."""
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)
