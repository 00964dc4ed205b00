"""django-q2's broker: dequeue claims due steps from our own tables. Nothing is inserted, acknowledged or saved by django-q2.

There is no second queue to disagree with: a lost, doubled or frozen django-q2 task delays work, it never loses it.
The task names are fixed here; a package is made on the spot and carries two short texts.
"""

import logging
import os
import time
from datetime import UTC, datetime
from math import ceil
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, connection
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from audit import failpoints
from audit.away import told
from orchestrator.engine.claims import WAKE_CHANNEL, Claim, claim_due, claim_in_turn, held_by
from orchestrator.engine.workers.pace import Pace, at_rest

logger = logging.getLogger(__name__)

TASK = "orchestrator.tasks.run_attempts"
# Claims carry the name of the host's worker command, so that it can release them when its cluster is gone.
HOST = os.environ.get("HOLDPOINT_WORKER", "worker")
LONGEST_WAIT = 1.0
# After a bell it asks again so soon, in case a due step's execution was locked that instant; then twice as long, and so on.
FIRST_WAIT = 0.05
# While enough is claimed for every hand.
FULL_PAUSE = 0.02


class StepBroker(Broker):  # type: ignore[misc]
    """Woken by NOTIFY and by time. Every error is survived here, because django-q2 would sleep ten seconds on it."""

    _listening: psycopg.Connection[Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace(settings.WORKERS * settings.HANDS)
        self._is_drained = False
        self._wait_seconds = FIRST_WAIT
        # No fewer than it holds: what was counted last, and all that was claimed since.
        self._held_at_most = settings.WORKERS * settings.HANDS

    def dequeue(self) -> list[tuple[str, str]]:
        try:
            if self._is_drained:
                self._wait()
            claims = self._claim()
        except (Error, psycopg.Error) as error:
            logger.warning("%s; asking again", told(error))
            self._forget_connections()
            time.sleep(0.5)
            return []
        failpoints.hit("broker.claimed")
        return [(str(part[0].fence), _package(part)) for part in _shares(claims)]

    def _claim(self) -> list[Claim]:
        held = self._held()
        room = self._pace.room(held, now=time.monotonic())
        # What was left over by the last claim is still due, and fills the room.
        backlog = 0 if self._is_drained else room
        time.sleep(self._pace.rest(held, now=time.monotonic(), backlog=backlog) if room else FULL_PAUSE)
        # Only where work is left over can one unit's be in the way of another's.
        claim = claim_due if self._is_drained else claim_in_turn
        claims = claim(limit=room, worker=HOST) if room else []
        self._pace.claimed(len(claims), now=time.monotonic())
        self._is_drained = len(claims) < room
        self._held_at_most = held + len(claims)
        return claims

    def _held(self) -> int:
        """How many claims are in hand, or a few more: counted only where it could matter, which is not at rest."""
        if self._held_at_most > at_rest(settings.WORKERS * settings.HANDS):
            return held_by(HOST)
        return self._held_at_most

    def _wait(self) -> None:
        """Until a bell rings, or a while. Bells that rang meanwhile are not lost: the session keeps them.

        What becomes due by time is made due by the sweep, which rings.
        """
        listener = self._listener()
        rang = [*listener.notifies(timeout=0)] or [*listener.notifies(timeout=self._wait_seconds, stop_after=1)]
        self._wait_seconds = FIRST_WAIT if rang else min(2 * self._wait_seconds, LONGEST_WAIT)

    def _listener(self) -> psycopg.Connection[Any]:
        if self._listening is None:
            connection.ensure_connection()
            self._listening = psycopg.connect(connection.connection.info.dsn, password=_password(), autocommit=True)
            self._listening.execute(f"LISTEN {WAKE_CHANNEL}")
        return self._listening

    def _forget_connections(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        connection.close()

    def __getstate__(self) -> tuple[str, None]:
        return self.list_key, None

    def queue_size(self) -> int:
        return 0

    def lock_size(self) -> int:
        return 0

    def ping(self) -> bool:
        return True

    def info(self) -> str:
        return "steps"

    # django-q2 acknowledges through these; the attempt row is the only record there is.
    def acknowledge(self, task_id: str) -> None: ...

    def delete(self, task_id: str) -> None: ...

    def fail(self, task_id: str) -> None: ...


def _password() -> str | None:
    return str(settings.DATABASES["default"].get("PASSWORD") or "") or None


def _shares(claims: list[Claim]) -> list[list[Claim]]:
    """The claims as packages: no more than one for each worker, spread evenly, and a few claims all to one worker.

    A queue hop costs more than what it carries, and what one worker begins together it settles together.
    """
    number = min(settings.WORKERS, ceil(len(claims) / max(1, settings.HANDS // 2)))
    return [share for start in range(number) if (share := claims[start::number])]


def _package(claims: list[Claim]) -> str:
    return SignedPackage.dumps(  # type: ignore[no-any-return]
        {
            "id": claims[0].fence.hex,
            "name": str(claims[0].fence),
            "func": TASK,
            "args": ([str(claim.fence) for claim in claims],),
            "kwargs": {},
            "started": datetime.now(UTC),
        }
    )
