"""`?wait=SECONDS`: answer when an action's status changes. Holds a web thread, and no transaction.

The gate notifies on every change; the answer is also looked up every few seconds, so a lost notification delays it
and nothing worse. Waiters are limited per process, so that they never use up the threads that decisions come in on,
and those of one agent to half of that, so that others find a place. A process that is told to end answers them first:
cut off, each would be an error of a proxy.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit.actors import Actor
from config import env
from orchestrator.gate.announce import CHANNEL
from orchestrator.models import Action
from orchestrator.statuses import ActionStatus

MAX_SECONDS = 60
LOOK_EVERY_SECONDS = 2.0
# In these the caller can do nothing but wait: a person, or a probe, has the next word.
WAITING = {ActionStatus.PROPOSED, ActionStatus.HELD, ActionStatus.UNKNOWN}
SPARE_THREADS = 4
Who = tuple[str, frozenset[UUID]]


class Places:
    """Where this process lets callers wait: so many in all, and half of them for one agent in one unit.

    The web server says when they are closing, because the process is told to end.
    """

    def __init__(self, most: int) -> None:
        self.most, self.most_of_one = most, max(1, most // 2)
        self.are_closing: Callable[[], bool] = lambda: False
        self._taken: Counter[Who] = Counter()
        self._lock = threading.Lock()

    def take(self, who: Who) -> bool:
        with self._lock:
            free = self._taken.total() < self.most and self._taken[who] < self.most_of_one
            self._taken[who] += free
            return free

    def give_back(self, who: Who) -> None:
        with self._lock:
            self._taken -= Counter([who])  # leaves nothing behind of whoever has none


places = Places(max(1, env.integer("WEB_THREADS", 16) - SPARE_THREADS))


class Waited(NamedTuple):
    """The action as it is now. Where it could not wait as long as it was to, asking again soon makes sense."""

    action: Action
    ask_again: bool = False


def until_changed(look: Callable[[], Action], seconds: float, by: Actor) -> Waited:
    """The action as soon as it is no longer in the status it waits in, or as it is when the time is up.

    With no place left it answers at once: the caller asks again, which is all that waiting spares it.
    """
    action, who = look(), (by.key, by.unit_ids)
    if seconds <= 0 or action.status not in WAITING:
        return Waited(action)
    if not places.take(who):
        return Waited(action, ask_again=True)
    try:
        with _listening() as raw:
            return _wait(look, raw, action.status, time.monotonic() + seconds)
    finally:
        places.give_back(who)


def _wait(look: Callable[[], Action], raw: Any, status: str, deadline: float) -> Waited:
    # Looked up after LISTEN: a change between the first look and LISTEN rings no bell.
    while (action := look()).status == status and (left := deadline - time.monotonic()) > 0:
        if places.are_closing():
            return Waited(action, ask_again=True)
        _sleep(raw, action.pk, min(left, LOOK_EVERY_SECONDS))
    return Waited(action)


@contextmanager
def _listening() -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    try:
        yield connection.connection
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"UNLISTEN {CHANNEL}")


def _sleep(raw: Any, action_id: UUID, seconds: float) -> None:
    with closing(raw.notifies(timeout=seconds)) as bells:
        for bell in bells:
            if bell.payload == str(action_id):
                return
