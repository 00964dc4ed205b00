"""What a process saw when it last looked: for questions asked so often that the database should not be asked each time."""

import threading
import time
from collections.abc import Callable


class Glance:
    """A yes or no of at most so many seconds ago. Whoever changes the answer in this process looks again.

    Safe for threads: many who want to know at once ask once, for each would ask over a session of its own.
    """

    def __init__(self, ask: Callable[[], bool], *, every_seconds: float) -> None:
        self._ask, self._every = ask, every_seconds
        self._at, self._saw = float("-inf"), False
        self._one_asks = threading.Lock()

    def __call__(self) -> bool:
        with self._one_asks:
            # An answer is as old as its question.
            now = time.monotonic()
            if now - self._at > self._every:
                self._saw, self._at = self._ask(), now
            return self._saw

    def again(self) -> None:
        """The next question goes to the database."""
        with self._one_asks:
            self._at = float("-inf")
