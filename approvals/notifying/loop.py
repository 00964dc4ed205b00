"""Notifications beside a worker's other duties: a slow receiver must not delay a lease, so they have a thread of their own."""

import logging
import threading
import time

from django.db import Error, connection

from approvals.notifying.deliver import BATCH, FORGOTTEN_AT_ONCE, forget, one_round
from audit.away import told

logger = logging.getLogger(__name__)
IDLE_SECONDS = 1.0
# After a round that found little: what happens meanwhile is told together.
GATHER_SECONDS = 0.25
FORGET_EVERY_SECONDS = 3600.0


class Notifier(threading.Thread):
    """Rounds until it is told to stop. Several hosts may run one each; each delivery is claimed by one."""

    def __init__(self) -> None:
        super().__init__(name="notifier", daemon=True)
        self._stopping = threading.Event()
        self._forgot_at = time.monotonic()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            done = self._round()
            if done < BATCH:
                self._stopping.wait(GATHER_SECONDS if done else IDLE_SECONDS)
        connection.close()

    def _round(self) -> int:
        try:
            self._forget()
            return one_round()
        except Error as error:
            logger.warning("%s; trying again", told(error))
            connection.close()
        except Exception:
            logger.exception("notifications: one round failed")
        return 0

    def _forget(self) -> None:
        """As much as a round may, in every round while there is as much; then not for an hour, nor after a failure."""
        before, now = self._forgot_at, time.monotonic()
        if now - before > FORGET_EVERY_SECONDS:
            self._forgot_at = now
            if forget() >= FORGOTTEN_AT_ONCE:
                self._forgot_at = before
