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
        self._one_asks = threading.Lock()
        self._change = object()
        self._saw: tuple[bool, float, object] = False, float("-inf"), self._change

    def __call__(self) -> bool:
        # One connection that hangs must not stand in every thread's way: whoever has waited so long asks, too.
        alone = self._one_asks.acquire(timeout=self._every)
        try:
            # An answer is as old as its question.
            now, change = time.monotonic(), self._change
            answer, at, seen = self._saw
            if change is not seen or now - at > self._every:
                answer = self._ask()
                self._saw = answer, now, change
            return answer
        finally:
            if alone:
                self._one_asks.release()

    def again(self) -> None:
        """The next question goes to the database. Waits for none that is under way: whoever engages a stop holds the gate."""
        self._change = object()
