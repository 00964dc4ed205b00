"""Duties of the sweep that need not be done in every round."""

import time
from collections.abc import Callable


class Every:
    """Does it at most so often in this process; a host more or less changes nothing but that."""

    def __init__(self, seconds: float, do: Callable[[], int]) -> None:
        self._seconds, self._do = seconds, do
        self._at = float("-inf")

    def again(self) -> None:
        """Not to wait for its time: the next call does it."""
        self._at = float("-inf")

    def __call__(self) -> int:
        if time.monotonic() - self._at < self._seconds:
            return 0
        self._at = time.monotonic()
        return self._do()
