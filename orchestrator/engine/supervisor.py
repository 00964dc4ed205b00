"""Watches that claimed work progresses. The cluster is django-q2's; the decision that it froze is ours.

Killing one idle django-q2 worker can freeze all others for ever (it dies holding the queue's lock), with every process
alive. So progress is judged from our own tables: attempts claimed by this host that nobody has started.
"""

import contextlib
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.lifecycle import move, run
from orchestrator.engine.claims import ENGINE, WAKE_CHANNEL
from orchestrator.engine.settle import settle_lost
from orchestrator.engine.sweep import sweep
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Attempt, Step
from orchestrator.statuses import AttemptStatus, StepStatus

logger = logging.getLogger(__name__)

FROZEN_AFTER = 5.0
STOP_WITHIN = 20.0

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


class Supervisor:
    """Owns one cluster at a time. Every cluster has a name of its own, which its claims carry."""

    def __init__(self) -> None:
        self._stopping = False
        self._cluster: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._started = 0.0

    def stop(self) -> None:
        self._stopping = True

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
        try:
            sweep()
            if self._is_frozen():
                self._replace("claimed work does not progress")
        except (DatabaseError, psycopg.Error) as error:
            logger.warning("the database is away (%s); trying again", type(error).__name__)
            connection.close()

    def _is_frozen(self) -> bool:
        if time.monotonic() - self._started < FROZEN_AFTER:
            return False
        unstarted, busy = run(_PROGRESS, [FROZEN_AFTER, self._name])[0]
        idle = busy < settings.WORKERS
        return bool(idle and (unstarted or (not busy and run(_UNCLAIMED, [FROZEN_AFTER])[0][0])))

    def _replace(self, why: str) -> None:
        if self._cluster is not None:
            logger.warning("restarting the django-q2 cluster: %s", why)
            self._kill()
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._cluster = subprocess.Popen(
            [sys.executable, "-c", _CLUSTER],
            env={**os.environ, "HOLDPOINT_WORKER": self._name, "HOLDPOINT_PARENT": str(os.getpid())},
            start_new_session=True,
        )
        self._started = time.monotonic()

    def _kill(self) -> None:
        """All of it, at once: a cluster whose sentinel is gone keeps unguarded workers otherwise."""
        assert self._cluster is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._cluster.pid, signal.SIGKILL)
        self._cluster.wait()
        with contextlib.suppress(DatabaseError, psycopg.Error):
            hand_back(self._name, lost=True)

    def _stop_cluster(self) -> None:
        """Finish what runs, hand back what was not started, leave no process."""
        if self._cluster is None:
            return
        self._cluster.terminate()
        try:
            self._cluster.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            logger.warning("workers did not finish in time; their attempts will be picked up by others")
        self._kill()


def hand_back(worker: str, *, lost: bool) -> None:
    """Claims of a cluster that is gone: unstarted ones are released, started ones are lost now, not at the lease's end."""
    mine = Attempt.objects.filter(worker=worker, status=AttemptStatus.RUNNING)
    for attempt_id in mine.filter(started_at=None).values_list("pk", flat=True):
        _release(attempt_id)
    if lost:
        # Nobody of that group is alive, so the promise of the lease is moot.
        mine.update(lease_expires_at=Now())
        for attempt_id in mine.values_list("pk", flat=True):
            settle_lost(attempt_id, why="The worker was killed.")


@transaction.atomic
def _release(attempt_id: UUID) -> None:
    row = Attempt.objects.values_list("execution_id", flat=True).get(pk=attempt_id)
    lock_execution(row)
    attempt = (
        Attempt.objects.select_for_update().filter(pk=attempt_id, status=AttemptStatus.RUNNING, started_at=None).first()
    )
    step = Step.objects.filter(attempt_id=attempt_id, status=StepStatus.IN_PROGRESS).first()
    if attempt is None or step is None:
        return
    why = "handed back unstarted by a worker that stopped"
    move(attempt, to=AttemptStatus.RELEASED, by=ENGINE, why=why, finished_at=Now(), message=why)
    move(step, to=StepStatus.PENDING, by=ENGINE, why=why, due_at=Now(), tries=F("tries") - 1)
    run("SELECT pg_notify(%s, '')", [WAKE_CHANNEL])


# Runs django-q2's own command; ends with its supervisor, whatever kills that.
_CLUSTER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(os.environ["HOLDPOINT_PARENT"]):
    sys.exit(0)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "qcluster"])
"""
