"""What nobody in particular was refused: a few a minute are recorded one by one, the others by their number.

Whoever is signed in, and every token, answers for what they fill the trail with. A stranger does not, and what is written
there stays for good, in the stream whose head every sign-in waits for.
"""

import time
from threading import Lock
from typing import Any

from audit import events
from audit.actors import ANYONE

MOST_A_MINUTE = 10
MINUTE = 60.0
# Whatever a stranger does that is recorded at all, and what many of them are called.
MANY = {"request.refused": "refused requests", "person.sign_in_failed": "failed sign-ins"}


class Few:
    """So many a minute in this process; of the others it remembers how many they were."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._began, self._taken, self._left_out = float("-inf"), 0, 0

    def again(self) -> None:
        """Not to wait for the next minute: it begins now."""
        self._began = float("-inf")

    def take(self) -> int | None:
        """How many were left out since the last one that was not; None: this one is left out, too."""
        with self._lock:
            now = time.monotonic()
            if now - self._began >= MINUTE:
                self._began, self._taken = now, 0
            if self._taken >= MOST_A_MINUTE:
                self._left_out += 1
                return None
            self._taken += 1
            left_out, self._left_out = self._left_out, 0
            return left_out

    def give_back(self, left_out: int) -> None:
        """They could not be recorded: the next one tells of them."""
        with self._lock:
            self._left_out += left_out


# By event: failed sign-ins are told one by one also while somebody knocks at the API.
few = {event: Few() for event in MANY}


def recorded(fact: dict[str, Any]) -> bool:
    """Into the security stream with it. False: it is a stranger's and one of too many, so that only their number will be."""
    counted = few.get(fact["event"]) if fact["actor"] == ANYONE.key else None
    if counted is None:
        events.append(events.SECURITY_STREAM, fact)
        return True
    left_out = counted.take()
    if left_out is None:
        return False
    try:
        events.append(events.SECURITY_STREAM, *_number_of(left_out, fact["event"]), fact)
    except Exception:
        counted.give_back(left_out + 1)
        raise
    return True


def _number_of(left_out: int, event: str) -> list[dict[str, Any]]:
    if not left_out:
        return []
    return [events.fact("strangers.left_out", by=ANYONE, data={"count": left_out, "what": MANY[event]})]
