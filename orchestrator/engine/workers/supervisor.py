"""Watches that claimed work progresses. The cluster is django-q2's; the decision that it froze is ours.

Killing one idle django-q2 worker can freeze all others for ever (it dies holding the queue's lock), with every process
alive. So progress is judged from our own tables: attempts claimed by this host that nobody has started.
"""

import contextlib
import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import Error, connection

from audit import fitting
from audit.away import told
from audit.lifecycle import run
from orchestrator.engine.handback import hand_back
from orchestrator.engine.sweep import sweep
from orchestrator.health import samples
from orchestrator.health.pulse import Pulse

logger = logging.getLogger(__name__)

FROZEN_AFTER = 5.0
LONGEST_PATIENCE = 60.0
# Between two executions a worker is idle for an instant, so one look at a backlog proves nothing.
LOOKS = 3
STOP_WITHIN = 20.0
NOT_MIGRATED = (
    "the database is not as this code needs it ({missing}). Run `manage.py migrate` of this version as the owner of its "
    "tables, then grant (docs/production.md). The worker goes on by itself"
)

# Unstarted claims of this host that have waited too long, and how many of its workers are busy.
_PROGRESS = """
SELECT count(*) FILTER (WHERE started_at IS NULL AND claimed_at < clock_timestamp() - make_interval(secs => %s)),
       count(*) FILTER (WHERE started_at IS NOT NULL)
FROM orchestrator_attempt WHERE status = 'running' AND worker = %s AND lease_expires_at > clock_timestamp()
"""
# Work that is due and that nobody claims: the cluster's pusher is gone or stuck.
_UNCLAIMED = """
SELECT EXISTS (SELECT 1 FROM orchestrator_step
               WHERE status = 'pending' AND due_at < clock_timestamp() - make_interval(secs => %s))
"""


class Patience:
    """How long a new cluster is left alone. Twice as long after each one that was replaced before it did anything.

    On a busy host a cluster may need longer to start than a frozen one is given: it would be replaced for ever.
    """

    def __init__(self) -> None:
        self.seconds = FROZEN_AFTER

    def in_vain(self) -> None:
        self.seconds = min(self.seconds * 2, LONGEST_PATIENCE)

    def it_works(self) -> None:
        self.seconds = FROZEN_AFTER


class Supervisor:
    """Owns one cluster at a time. Every cluster has a name of its own, which its claims carry."""

    def __init__(self) -> None:
        self._stopping = False
        self._cluster: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._started = 0.0
        self._suspicious_looks = 0
        self._patience = Patience()
        self._pulse = Pulse()

    def stop(self) -> None:
        self._stopping = True

    def wait_for_the_database(self) -> bool:
        """Until it is as this code needs it; what is missing is said once. False where this is told to stop meanwhile."""
        said = ""
        while not self._stopping and (problem := _misfit()):
            # Numbers count down while somebody migrates.
            if (kind := re.sub(r"\d+", "", problem)) != said:
                logger.warning("nothing is begun yet, %s", problem)
            said = kind
            time.sleep(settings.SWEEP_SECONDS)
        return not self._stopping

    def run(self) -> None:
        try:
            while not self._stopping:
                self._round()
                time.sleep(settings.SWEEP_SECONDS)
        finally:
            self._stop_cluster()

    def _round(self) -> None:
        if self._cluster is None or self._cluster.poll() is not None:
            self._replace("the cluster is not running")
        # Apart: a sweep that fails must not make the worker look dead, nor the other way round.
        self._survive(self._heal)
        self._survive(self._say_how_it_is)

    def _survive(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except Error as error:
            logger.warning("%s; trying again", told(error))
            connection.close()
        except Exception:
            logger.exception("a mistake of ours; the worker goes on")

    def _heal(self) -> None:
        began = time.monotonic()
        sweep()
        self._pulse.swept(time.monotonic() - began)
        if self._is_frozen():
            self._patience.in_vain()
            self._replace("claimed work does not progress")

    def _say_how_it_is(self) -> None:
        stands_still = self._suspicious_looks >= LOOKS - 1
        if not self._pulse.is_due(stands_still=stands_still):
            return
        try:
            self._pulse.beat(cluster=self._name, stands_still=stands_still)
            samples.keep()
        except Error:
            raise
        except Exception:
            logger.exception("this worker could not say how it is; it works on")

    def _is_frozen(self) -> bool:
        if time.monotonic() - self._started < self._patience.seconds:
            return False
        if self._looks_frozen():
            self._suspicious_looks += 1
        else:
            self._suspicious_looks = 0
            self._patience.it_works()
        return self._suspicious_looks >= LOOKS

    def _looks_frozen(self) -> bool:
        # A claim that waits longer than its lease is given back and claimed anew, and never looks old.
        too_long = min(FROZEN_AFTER, settings.LEASE_SECONDS * 2 / 3)
        unstarted, busy = run(_PROGRESS, [too_long, self._name])[0]
        idle = busy < settings.WORKERS * settings.HANDS
        return bool(idle and (unstarted or (not busy and run(_UNCLAIMED, [too_long])[0][0])))

    def _replace(self, why: str) -> None:
        if self._cluster is not None:
            logger.warning("restarting the django-q2 cluster: %s", why)
            self._kill()
            self._pulse.restarted(why)
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._cluster = subprocess.Popen(
            [sys.executable, "-c", _CLUSTER],
            env={**os.environ, "HOLDPOINT_WORKER": self._name, "HOLDPOINT_PARENT": str(os.getpid())},
            start_new_session=True,
        )
        self._started = time.monotonic()
        self._suspicious_looks = 0

    def _kill(self) -> None:
        """All of it, at once: a cluster whose sentinel is gone keeps unguarded workers otherwise."""
        assert self._cluster is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._cluster.pid, signal.SIGKILL)
        self._cluster.wait()
        try:
            hand_back(self._name)
        except Exception:
            logger.exception("what the cluster held is not handed back; its leases run out")

    def _stop_cluster(self) -> None:
        """Finish what runs, hand back what was not started, leave no process."""
        self._pulse.end("told to stop")
        if self._cluster is None:
            return
        self._cluster.terminate()
        try:
            self._cluster.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            logger.warning("workers did not finish in time; their attempts will be picked up by others")
        self._kill()


def _misfit() -> str:
    try:
        missing = fitting.misfit(_rows)
    except Error as error:
        connection.close()
        return told(error)
    return missing and NOT_MIGRATED.format(missing=missing)


def _rows(sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


# Runs django-q2's own command; ends with its supervisor, whatever kills that. Its leader is asked to end, but may not
# get that far (it hangs, or dies and leaves its workers): a small process beside it then kills the whole group.
_CLUSTER = """
import ctypes, os, select, signal, sys, time
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
supervisor = int(os.environ["HOLDPOINT_PARENT"])
if os.getppid() != supervisor:
    sys.exit(0)
watched, leader = os.pidfd_open(supervisor), os.getpid()
if os.fork() == 0:
    select.select([watched], [], [])
    late = time.monotonic() + 10
    while os.getppid() == leader and time.monotonic() < late:
        time.sleep(0.1)
    os.killpg(0, signal.SIGKILL)
os.close(watched)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.management import execute_from_command_line
from config.starting import load
load()
execute_from_command_line(["manage.py", "qcluster"])
"""
