"""How many claims a host makes, and how close to each other: enough for its hands, no more, and together where work flows.

A claim of ten costs little more than a claim of one, and what begins together settles together; but nobody waits for
company while the host is at rest. And claims ahead of free hands are worth it only where hands get free quickly: behind
steps that take minutes they would wait out their lease. Pure arithmetic over a clock that is handed in.
"""

from collections import deque

# How far ahead of the hands claims are made, in time: short beside a lease, long beside a claim.
AHEAD_SECONDS = 0.25
# The least time between two claims where a quarter of the hands or more are at work; where fewer are, less.
APART_SECONDS = 0.03


def at_rest(hands: int) -> int:
    """As long as no more than this is in hand, one execution follows the other rather than runs beside it."""
    return hands // 8


class Pace:
    """Remembers the claims of the last second. Times are seconds of one monotonic clock."""

    def __init__(self, hands: int) -> None:
        self._hands = hands
        self._claimed: deque[tuple[float, int]] = deque()

    def claimed(self, number: int, *, now: float) -> None:
        """So many claims were made."""
        if number:
            self._claimed.append((now, number))

    def room(self, held: int, *, now: float) -> int:
        """How many to claim when `held` are in hand or wait for one; 0 where that is enough for now."""
        ahead = min(self._hands, self._soon(now))
        room = self._hands + ahead - held
        # Not each hand's next step by itself: what waits is filled up when half of it is gone.
        return min(self._hands, room) if room > ahead // 2 else 0

    def rest(self, held: int, *, now: float, backlog: int = 0) -> float:
        """How long to wait before the next claim, in seconds. So many are known to be due, of those there is room for.

        A claim that fills half of the hands is worth its statement; one that hopes for company waits for it.
        """
        if not self._claimed or 2 * backlog >= self._hands:
            return 0.0
        apart = APART_SECONDS * min(1.0, 4 * held / self._hands) if held > at_rest(self._hands) else 0.0
        return max(0.0, self._claimed[-1][0] + apart - now)

    def _soon(self, now: float) -> int:
        """How many claims will find a free hand within AHEAD_SECONDS, if it goes on as in the last second."""
        while self._claimed and self._claimed[0][0] < now - 1.0:
            self._claimed.popleft()
        return int(sum(number for _, number in self._claimed) * AHEAD_SECONDS)
