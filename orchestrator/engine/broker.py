"""django-q2's broker: dequeue claims due steps from our own tables. Nothing is inserted, acknowledged or saved by django-q2.

There is no second queue to disagree with: a lost, doubled or frozen django-q2 task delays work, it never loses it.
The task names are fixed here; a package is made on the spot and carries two short texts.
"""

import logging
import os
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, connection
from django_q.brokers import Broker
from django_q.signing import SignedPackage

from orchestrator.engine.claims import WAKE_CHANNEL, Claim, claim_due, held_by, seconds_until_due

logger = logging.getLogger(__name__)

TASK = "orchestrator.tasks.run_attempts"
# Claims carry the name of the host's worker command, so that it can release them when its cluster is gone.
HOST = os.environ.get("HOLDPOINT_WORKER", "worker")
LONGEST_WAIT = 1.0
# A due step whose execution is locked this instant is asked for again after this pause.
LOCKED_PAUSE = 0.02
# While hands are at work, claims that would follow each other faster than this are made together: one of ten costs little
# more than one of one. Nobody at work, nobody waits.
COMPANY_SECONDS = 0.03
# With every hand full and enough claimed ahead of them.
FULL_PAUSE = 0.02
# How far ahead of the hands claims are made, in time: short beside a lease, long beside a claim.
AHEAD_SECONDS = 0.25


class StepBroker(Broker):  # type: ignore[misc]
    """Woken by NOTIFY and by time. Every error is survived here, because django-q2 would sleep ten seconds on it."""

    _listening: psycopg.Connection[Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._is_full = False

    def dequeue(self) -> list[tuple[str, str]]:
        try:
            claims = self._claim() or self._wait_and_claim()
        except (Error, psycopg.Error) as error:
            logger.warning("the database is away (%s); asking again", type(error).__name__)
            self._forget_connections()
            time.sleep(0.5)
            return []
        return [(str(part[0].fence), _package(part)) for part in _shares(claims)]

    def _claim(self) -> list[Claim]:
        """No more than hands are free, or will be in a moment: no claim waits behind steps that take long."""
        hands = settings.WORKERS * settings.HANDS
        ahead = min(hands, self._pace.soon())
        held = held_by(HOST)
        room = hands + ahead - held
        # Where work flows, several are claimed at a time rather than each hand's next step by itself.
        self._is_full = room <= ahead // 2
        if self._is_full:
            return []
        if held:
            self._pace.wait_for_company()
        claims = claim_due(limit=min(hands, room), worker=HOST)
        self._pace.claimed(len(claims))
        return claims

    def _wait_and_claim(self) -> list[Claim]:
        listener = self._listener()
        if self._is_full:
            time.sleep(FULL_PAUSE)
        # What rang while we were busy is worth one look together, not one look each.
        elif not [*listener.notifies(timeout=0)]:
            wait = seconds_until_due(LONGEST_WAIT) or LOCKED_PAUSE
            _ = [*listener.notifies(timeout=wait, stop_after=1)]
        return self._claim()

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


class Pace:
    """How fast this host's claims have lately been taken up. Claims ahead of free hands are only worth it where hands get
    free quickly: behind steps that take minutes they would wait out their lease."""

    def __init__(self) -> None:
        self._claimed: deque[tuple[float, int]] = deque()

    def claimed(self, number: int) -> None:
        if number:
            self._claimed.append((time.monotonic(), number))

    def wait_for_company(self) -> None:
        """Nothing after a rest; in a stream of work the rest of COMPANY_SECONDS since the last claim."""
        if self._claimed:
            time.sleep(max(0.0, self._claimed[-1][0] + COMPANY_SECONDS - time.monotonic()))

    def soon(self) -> int:
        """How many claims will find a free hand within AHEAD_SECONDS, if it goes on as in the last second."""
        now = time.monotonic()
        while self._claimed and self._claimed[0][0] < now - 1.0:
            self._claimed.popleft()
        return int(sum(number for _, number in self._claimed) * AHEAD_SECONDS)


def _password() -> str | None:
    return str(settings.DATABASES["default"].get("PASSWORD") or "") or None


def _shares(claims: list[Claim]) -> list[list[Claim]]:
    """The claims spread evenly over the workers, one package each: a queue hop costs more than what it carries."""
    return [share for start in range(settings.WORKERS) if (share := claims[start :: settings.WORKERS])]


def _package(claims: list[Claim]) -> str:
    return SignedPackage.dumps(  # type: ignore[no-any-return]
        {
            "id": claims[0].fence.hex,
            "name": str(claims[0].fence),
            "func": TASK,
            "args": ([str(claim.fence) for claim in claims], HOST),
            "kwargs": {},
            "started": datetime.now(UTC),
        }
    )
