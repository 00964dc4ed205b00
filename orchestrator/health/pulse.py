"""The heartbeat of one `manage.py worker`: its supervisor says every two seconds how it is. Outside django-q2 and every hot path.

All times are the database's. The host's own clock is used for one thing: to say how far off it is.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import Error, connection

from audit.ids import new_id
from audit.lifecycle import run

BEAT_SECONDS = 2.0
RECENT_SECONDS = 600.0
# A clock that was read across a slower answer than this says nothing about skew.
CLOCK_WITHIN_SECONDS = 1.0

_BORN = """
INSERT INTO orchestrator_workerhost (id, host, pid, version, hands) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
"""
# Whoever starts on a host knows which of its earlier workers' processes are no more.
_OTHERS = "SELECT id, pid FROM orchestrator_workerhost WHERE host = %s AND id <> %s AND ended_at IS NULL"
_BURY = """
UPDATE orchestrator_workerhost SET ended_at = clock_timestamp(), stands_still = false, ended_why = %s
WHERE id = ANY (%s) AND ended_at IS NULL
"""
# Attempts that are under way, and those of the last beats: an id made by this host tells when, on this host's clock.
_SEEN = """
SELECT COALESCE(array_agg(id) FILTER (WHERE status = 'running'), '{}'),
       count(*) FILTER (WHERE status = 'running' AND started_at IS NOT NULL), max(claimed_at), max(finished_at)
FROM (SELECT id, status, started_at, claimed_at, finished_at FROM orchestrator_attempt
      WHERE status = 'running' AND worker = %(cluster)s
      UNION SELECT id, status, started_at, claimed_at, finished_at FROM orchestrator_attempt
      WHERE id >= %(since)s AND worker = %(cluster)s) AS mine
"""
# `ended_at` is emptied: who beats has not ended, whatever somebody thought.
_BEAT = """
UPDATE orchestrator_workerhost SET beat_at = clock_timestamp(), ended_at = NULL, ended_why = '', cluster = %(cluster)s,
  busy = %(busy)s, swept_at = CASE WHEN %(swept_ago)s::float8 IS NULL THEN swept_at
    ELSE clock_timestamp() - make_interval(secs => %(swept_ago)s) END,
  sweep_seconds = COALESCE(%(sweep_seconds)s::float8, sweep_seconds),
  last_claim_at = GREATEST(last_claim_at, %(claimed)s::timestamptz),
  last_progress_at = GREATEST(last_progress_at, %(finished)s::timestamptz,
    CASE WHEN %(moved)s THEN clock_timestamp() END),
  clock_skew_seconds = %(skew)s::float8, stands_still = %(stands_still)s, restarts = %(restarts)s,
  restarted_at = CASE WHEN %(restarted_ago)s::float8 IS NULL THEN restarted_at
    ELSE clock_timestamp() - make_interval(secs => %(restarted_ago)s) END,
  restarted_why = CASE WHEN %(restarted_ago)s::float8 IS NULL THEN restarted_why ELSE %(why)s END
WHERE id = %(id)s RETURNING 1
"""


class Pulse:
    """One per worker command. Not safe for threads: the supervisor's one thread owns it."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.id = new_id()
        self._clock = clock
        self._running: set[UUID] = set()
        self._restarts: deque[float] = deque()
        self._why = ""
        self._beat = self._swept = 0.0
        self._sweep_seconds: float | None = None
        self._stood_still = False

    def swept(self, seconds: float) -> None:
        """A round of the sweep is over; it took so long."""
        self._swept, self._sweep_seconds = time.monotonic(), seconds

    def restarted(self, why: str) -> None:
        """A cluster was replaced by a new one."""
        self._restarts.append(time.monotonic())
        self._why, self._beat = why, 0.0

    def is_due(self, *, stands_still: bool) -> bool:
        """Every two seconds, and at once when a cluster stands still, moves again or was replaced."""
        return stands_still != self._stood_still or time.monotonic() - self._beat >= BEAT_SECONDS

    def beat(self, *, cluster: str, stands_still: bool = False) -> None:
        """Say how this worker is. Raises the database's error when it cannot be said; the next beat says it all anew."""
        facts = self._facts(cluster) | {"stands_still": stands_still}
        if not run(_BEAT, facts):
            self._enter()
            run(_BEAT, facts)
        self._beat, self._stood_still = time.monotonic(), stands_still

    def end(self, why: str) -> None:
        """It takes no more work. A database that is away is not waited for: then it is silent, and shown so."""
        with suppress(Error):
            run(_BURY, [why, [self.id]])

    def _enter(self) -> None:
        host = socket.gethostname()
        hands = settings.WORKERS * settings.HANDS
        run(_BORN, [self.id, host, os.getpid(), settings.VERSION, hands])
        gone = [row[0] for row in run(_OTHERS, [host, self.id]) if row[1] == os.getpid() or not _lives(row[1])]
        if gone:
            run(_BURY, ["its process is no more", gone])

    def _facts(self, cluster: str) -> dict[str, object]:
        now = time.monotonic()
        while self._restarts and self._restarts[0] < now - RECENT_SECONDS:
            self._restarts.popleft()
        skew = self._skew()
        since = _floor(self._clock() - 2 * BEAT_SECONDS)
        running, busy, claimed, finished = run(_SEEN, {"cluster": cluster, "since": since})[0]
        gone, self._running = self._running - set(running), set(running)
        return {
            "id": self.id, "cluster": cluster, "busy": busy, "claimed": claimed, "finished": finished,
            "moved": bool(gone), "skew": skew, "restarts": len(self._restarts), "why": self._why,
            "swept_ago": now - self._swept if self._swept else None, "sweep_seconds": self._sweep_seconds,
            "restarted_ago": now - self._restarts[-1] if self._restarts else None,
        }  # fmt: skip

    def _skew(self) -> float | None:
        """How far this host's clock is ahead of the database's, read in the middle of the question."""
        connection.ensure_connection()
        before = self._clock()
        there: datetime = run("SELECT clock_timestamp()", [])[0][0]
        after = self._clock()
        if not 0 <= after - before <= CLOCK_WITHIN_SECONDS:
            return None
        return (before + after) / 2 - there.timestamp()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _floor(moment: float) -> UUID:
    """The smallest id that could have been made at this moment."""
    return UUID(int=max(0, int(moment * 1000)) << 80)
