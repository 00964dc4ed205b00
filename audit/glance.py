"""What a process saw when it last looked: for questions asked so often that the database should not be asked each time."""

import time
from collections.abc import Callable


class Glance:
    """A yes or no of at most so many seconds ago. Whoever changes the answer in this process looks again."""

    def __init__(self, ask: Callable[[], bool], *, every_seconds: float) -> None:
        self._ask, self._every = ask, every_seconds
        self._at, self._saw = float("-inf"), False

    def __call__(self) -> bool:
        if time.monotonic() - self._at > self._every:
            self._saw, self._at = self._ask(), time.monotonic()
        return self._saw

    def again(self) -> None:
        """The next question goes to the database."""
        self._at = float("-inf")
