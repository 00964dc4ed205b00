"""The hands of one worker process: threads that run as many claims at a time as the worker is allowed.

A step mostly waits, for a model, a tool or the disk, and waiting needs no process of its own. django-q2's part ends when
all claims of a package are in somebody's hands; from there on only their attempts' rows say how they get on.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.util import Finalize
from socket import gethostname
from uuid import UUID

from django.conf import settings
from django.db import Error, close_old_connections, connection

from audit import failpoints, rounds
from orchestrator.engine.execute import Unwritten, by_kind, run, write
from orchestrator.engine.handback import put_off, release_unstarted
from orchestrator.engine.segment import Segment, begin_all
from orchestrator.engine.together import MOST_AT_ONCE, open_line
from orchestrator.engine.workers.desk import Desk

logger = logging.getLogger(__name__)

ASK_AGAIN, PAUSE_SECONDS = 10, 0.3
SEVERAL_WITHIN_SECONDS = 0.005
FREE_WITHIN_SECONDS = 0.25
# A hand that has rested for longer asks whether its connection still stands; while it works on, the work itself tells.
RESTED_SECONDS = 1.0


class Crew:
    """So many hands. The process ends only when all of them have laid down what they hold."""

    def __init__(self, hands: int) -> None:
        self._several = max(1, hands // 2)
        self._free = hands
        self._freed = threading.Condition()
        self._hand = threading.local()
        self._desk = Desk(self._run, self._write, most=MOST_AT_ONCE, over=self._lay_down)
        # They end with the process, whose end waits for `close`.
        self._hands = [threading.Thread(target=self._serve, name=f"hand-{n}", daemon=True) for n in range(hands)]
        for hand in self._hands:
            hand.start()

    def take(self, fences: Sequence[UUID]) -> None:
        """Give each claim to a free hand. Returns when all have begun, not ended, and a hand is free for the next package.

        What no hand gets free for in good time is given back: another worker may have one.
        """
        left = list(fences)
        while left:
            number = self._take_hands(len(left))
            if not number:
                give_back(left, why="no hand was free for it")
                break
            taken, left = left[:number], left[number:]
            segments: list[Segment] = []
            try:
                segments = begin_or_give_back(taken)
                failpoints.hit("crew.begun")
            finally:
                self._lay_down(number - len(segments))
                self._desk.put(segments)
        with self._freed:
            self._freed.wait_for(lambda: self._free > 0)

    def close(self) -> None:
        """Wait until all hands are empty. What they held has been run to its end."""
        self._desk.close()
        for hand in self._hands:
            hand.join()

    def _serve(self) -> None:
        self._desk.serve()
        connection.close()

    def _run(self, segment: Segment) -> tuple[Segment | None, Unwritten | None]:
        with self._at_work():
            return _run(segment)

    def _write(self, unwritten: list[Unwritten]) -> list[Segment | None]:
        with self._at_work():
            return _write(unwritten)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        if time.monotonic() - getattr(self._hand, "worked_at", -RESTED_SECONDS) >= RESTED_SECONDS:
            with suppress(Error):
                close_old_connections()
        try:
            yield
        finally:
            self._hand.worked_at = time.monotonic()

    def _take_hands(self, wanted: int) -> int:
        """At most as many as wanted: only what can run at once has begun. None when none gets free in good time.

        Where more is wanted than one, a moment's wait for several hands saves most of the statements that begin work.
        """
        with self._freed:
            self._freed.wait_for(lambda: self._free > 0, FREE_WITHIN_SECONDS)
            self._freed.wait_for(lambda: self._free >= min(wanted, self._several), SEVERAL_WITHIN_SECONDS)
            found = min(wanted, self._free)
            self._free -= found
            return found

    def _lay_down(self, number: int) -> None:
        with self._freed:
            self._free += number
            self._freed.notify()


def run_to_its_end(segment: Segment) -> None:
    """Run what was begun, in this thread, as far as it goes."""
    desk = Desk(_run, _write, most=MOST_AT_ONCE)
    desk.put([segment])
    desk.close()
    desk.serve()


def _run(segment: Segment) -> tuple[Segment | None, Unwritten | None]:
    """A lost database ends it: the lease decides what follows."""
    try:
        return run(segment)
    except Error as error:
        # Whether the last write landed is unknown here; the sweep finds the attempt when its lease lapses.
        logger.warning("attempt %s lost the database (%s)", segment.fence, type(error).__name__)
        connection.close()
    except Exception:
        logger.exception("attempt %s was dropped", segment.fence)
    return None, None


def _write(unwritten: list[Unwritten]) -> list[Segment | None]:
    return [following for part in by_kind(unwritten) for following in _write_part(part)]


def _write_part(unwritten: list[Unwritten]) -> list[Segment | None]:
    try:
        return write(unwritten)
    except Error as error:
        logger.warning("%d attempts lost the database (%s)", len(unwritten), type(error).__name__)
        connection.close()
    except Exception:
        logger.exception("%d attempts were dropped", len(unwritten))
    return [None] * len(unwritten)


def begin_or_give_back(fences: list[UUID]) -> list[Segment]:
    """Begin what is still ours to run. What meets a lost database is made due again as if it had not been claimed."""
    unloadable: list[UUID] = []
    try:
        segments = begin_all(fences, unloadable=unloadable)
        rounds.each(
            unloadable, partial(put_off, why=f"the host {gethostname()} cannot load its release: see its worker's log")
        )
        return segments
    except Error as error:
        logger.warning("%d claims lost the database before they began (%s)", len(fences), type(error).__name__)
        # A connection that died while this worker was idle is found out by its next claim, which need not wait for its lease.
        connection.close()
        give_back(fences, why="the database went away before the work began")
        return []


def give_back(fences: list[UUID], *, why: str) -> None:
    """Make these due again, as far as their work has not begun. A database that is away is asked a few times."""
    for fence in fences:
        for _ in range(ASK_AGAIN):
            try:
                release_unstarted(fence, why=why)
                break
            except Error:
                connection.close()
                time.sleep(PAUSE_SECONDS)


_crew: list[Crew] = []


def crew() -> Crew:
    """Made on first use, after django-q2 has forked: threads belong to one process. Called by its main thread only."""
    if not _crew:
        open_line()
        _crew.append(Crew(settings.HANDS))
        # A worker told to stop finishes what it has begun.
        Finalize(None, _crew[0].close, exitpriority=1)
    return _crew[0]
