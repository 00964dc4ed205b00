"""Duties of the sweep that need not be done in every round."""

import time
from collections.abc import Callable

# What a duty may take of the time of a process in which it finds nothing.
SHARE = 0.02
# But the time it took may have been a wait for somebody's lock, or for a database that stood still: then above all
# something may have gone wrong.
LONGEST_SECONDS = 300.0


class Every:
    """Does it at most so often in this process; a host more or less changes nothing but that."""

    def __init__(self, seconds: float, do: Callable[[], int]) -> None:
        self._seconds, self.func = seconds, do
        self._at = float("-inf")

    def again(self) -> None:
        """Not to wait for its time: the next call does it."""
        self._at = float("-inf")

    def __call__(self) -> int:
        if time.monotonic() - self._at < self._seconds:
            return 0
        self._at = time.monotonic()
        return self.func()


class Sparing:
    """Looks through all that waits for the little that went wrong. In every round while that takes next to nothing; the more
    waits, the longer it takes, and the more seldom it is done. Where it finds something it goes on at once.
    """

    def __init__(self, do: Callable[[], int]) -> None:
        self.func = do
        self._at = float("-inf")

    def __call__(self) -> int:
        began = time.monotonic()
        if began < self._at:
            return 0
        found = self.func()
        ended = time.monotonic()
        self._at = ended if found else ended + min((ended - began) / SHARE, LONGEST_SECONDS)
        return found
