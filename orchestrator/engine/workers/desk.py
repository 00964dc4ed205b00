"""One desk in a worker process, at which one hand works at a time, unless it is kept too long.

A quick step costs less than what surrounds it: eight threads with one step each switch all the time, keep as many runners
half awake, and find no cache warm. So the hand at the desk runs what lies ready, one after the other, with the runner that
is warm, and when nothing lies ready any more, all that was done is written together. A hand that is kept, because a
handler waits for a model, no longer holds the desk: the next one takes it.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")

# Many times what a quick step takes; so much later than it could have begun begins what lies behind a slow one.
KEPT_SECONDS = 0.003


class Desk(Generic[Job, Done]):
    """Safe for threads. `do` answers what follows a job and what is to be written of it; `write` what follows each, in any order.

    A job that nothing follows, and of which nothing is to be written, is over. Neither of the two may raise.
    """

    def __init__(
        self,
        do: Callable[[Job], tuple[Job | None, Done | None]],
        write: Callable[[list[Done]], Sequence[Job | None]],
        *,
        most: int,
        over: Callable[[int], None] = lambda number: None,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        """`most` are written at once; `over` is told how many jobs have come to their end."""
        self._do, self._write, self._over = do, write, over
        self._most, self._kept = most, kept_seconds
        self._lock = threading.Lock()
        self._ready: deque[Job] = deque()
        self._done: list[Done] = []
        self._under_way = 0
        # Whose bell rings; the one who has rested for the shortest time is the warmest, and comes first.
        self._resting: list[threading.Condition] = []
        self._deputy: threading.Condition | None = None
        self._at_desk: threading.Condition | None = None
        self._since = 0.0
        self._is_writing = self._is_closing = False

    def put(self, jobs: Sequence[Job]) -> None:
        """Lay these ready."""
        with self._lock:
            self._ready.extend(jobs)
            self._under_way += len(jobs)
            if self._at_desk is None or self._deputy is None:
                self._wake()

    def close(self) -> None:
        """From now on hands leave when nothing is under way."""
        with self._lock:
            self._is_closing = True
            while self._resting:
                self._wake()

    def serve(self) -> None:
        """Be a hand, until the desk is closed and nothing is under way."""
        bell = threading.Condition(self._lock)
        while (work := self._next(bell)) is not None:
            work()

    def _next(self, me: threading.Condition) -> Callable[[], None] | None:
        """What this hand does next, as soon as it may."""
        with self._lock:
            while self._under_way or not self._is_closing:
                if self._is_mine(me):
                    if self._ready:
                        return self._take_desk(me)
                    if self._done and not self._is_writing:
                        return self._take_pen()
                    self._at_desk = None
                self._rest(me)
            while self._resting:
                self._wake()
            return None

    def _is_mine(self, me: threading.Condition) -> bool:
        """Nobody is at the desk, or I am, or who is has been kept."""
        return self._at_desk in {None, me} or time.monotonic() - self._since >= self._kept

    def _take_desk(self, me: threading.Condition) -> Callable[[], None]:
        self._at_desk, self._since = me, time.monotonic()
        job = self._ready.popleft()
        if self._deputy is None and (self._ready or self._done):
            self._wake()
        return partial(self._work, job)

    def _take_pen(self) -> Callable[[], None]:
        """Who writes waits for the disk: meanwhile the desk is free for what is put there."""
        batch, self._done = self._done[: self._most], self._done[self._most :]
        self._is_writing, self._at_desk = True, None
        return partial(self._write_down, batch)

    def _rest(self, me: threading.Condition) -> None:
        """Until somebody rings; one hand looks up by itself now and then, for as long as there is anything to take over."""
        is_deputy = self._deputy is None and bool(self._ready or self._done)
        if is_deputy:
            self._deputy = me
        self._resting.append(me)
        me.wait(self._kept if is_deputy else None)
        if me in self._resting:
            self._resting.remove(me)
        if is_deputy:
            self._deputy = None

    def _wake(self) -> None:
        if self._resting:
            self._resting.pop().notify()

    def _work(self, job: Job) -> None:
        following, done = self._do(job)
        with self._lock:
            if following is not None:
                self._ready.append(following)
            elif done is not None:
                self._done.append(done)
            else:
                self._under_way -= 1
        if following is None and done is None:
            self._over(1)

    def _write_down(self, batch: list[Done]) -> None:
        following = [job for job in self._write(batch) if job is not None]
        ended = len(batch) - len(following)
        with self._lock:
            self._is_writing = False
            self._ready.extend(following)
            self._under_way -= ended
        if ended:
            self._over(ended)
