"""How fast work is again after a disturbance, and when a dead worker's step is anybody's again.

`make disturbances` prints the figures. A step here mostly sleeps, so what is measured is how many hands are at work, and
not how busy the machine is.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

import psutil
import psycopg
import pytest
from django.db import connection

from orchestrator.models import Attempt, Step
from orchestrator.operations import executions
from tests import plant as plants
from tests import trail
from tests import worlds as make
from tests.engine import provider
from tests.faults import scenarios
from tests.plant import Plant, Worker, running_plant
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
LEASE = 3.0
# Steps of one execution, all due at once.
BRANCHES = 10
SLEEPS = "".join(
    f"  - s{n}: {{agent: doer, with: {{name: slow}}, needs: [], {scenarios.RETRY}}}\n" for n in range(BRANCHES)
)
SLEEPERS = f"workflow: sleepers\nversion: 1.0.0\n{scenarios.REF_INPUT}steps:\n{SLEEPS}"
BEFORE, WINDOW, AFTER, RECOVERED_WITHIN = 20.0, 5.0, 20.0, 120.0
AS_BEFORE = 0.95


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server) -> Iterator[Plant]:
    """A worker with eight hands, and a workflow that does nothing but sleep."""
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with running_plant(tmp_path, settings, dsn, HANDS="4") as plant:
        _publish(tmp_path / "sleepers", SLEEPERS)
        yield plant


def _publish(folder: Path, workflow: str) -> None:
    make.publish(
        folder, workflow, scenarios.HANDLERS, tools=provider.TOOLS, agents=scenarios.AGENTS, release=provider.RELEASE
    )


def _order(plant: Plant, steps: int) -> None:
    """So much work that nobody has to wait for some."""
    while Step.objects.filter(status="pending").count() < steps:
        executions.start(workflow="sleepers", input={"ref": "x"}, unit="finance", by=plant.world.ada)


def _throughput(since: datetime, until: datetime) -> float:
    """Steps that ended well, each second."""
    ended = Attempt.objects.filter(status="succeeded", finished_at__gt=since, finished_at__lte=until).count()
    return ended / (until - since).total_seconds()


# --- Five disturbances ---------------------------------------------------------------------------------------------


def _restart(plant: Plant, server) -> None:
    server.restart_immediate()
    connection.close()


def _sessions_ended(plant: Plant, server) -> None:
    """An administrator, or a fail-over, five times a second apart."""
    for _ in range(5):
        _end_all_sessions()
        time.sleep(1)


def _end_all_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def _no_connection_left(plant: Plant, server) -> None:
    """Others hold every session the server has, and whoever loses theirs gets none, for eight seconds."""
    held: list[psycopg.Connection] = []
    dsn = server.dsn(connection.settings_dict["NAME"])
    with suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(dsn))
    mine = [line.info.backend_pid for line in held]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND pid <> ALL (%s) AND backend_type = 'client backend'",
            [mine],
        )
    end = time.monotonic() + 8
    while time.monotonic() < end:
        with suppress(psycopg.OperationalError):
            held.append(psycopg.connect(dsn))
        time.sleep(0.005)
    for line in held:
        line.close()


def _worker_killed(plant: Plant, server) -> None:
    """The host's power is gone: supervisor, cluster and runners. It is started again after five seconds."""
    _kill_the_host(plant.worker)
    time.sleep(5)
    plant.worker.start()


def _kill_the_host(worker: Worker) -> None:
    doomed = [psutil.Process(worker.pid), *worker.family()]
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(worker.pid, 0)


def _kills_again_and_again(plant: Plant, server) -> None:
    for _ in range(10):
        random.choice((plants.kill_a_runner, plants.kill_a_muscle, plants.kill_the_cluster))(plant)
        time.sleep(1)


DISTURBANCES: dict[str, Callable[[Plant, object], None]] = {
    "PostgreSQL restarted": _restart,
    "sessions ended": _sessions_ended,
    "no connection left": _no_connection_left,
    "a host killed": _worker_killed,
    "killed ten times": _kills_again_and_again,
}


@dataclass
class Recovery:
    """Steps per second, and seconds from the end of the disturbance until it was as before."""

    before: float
    during: float
    after: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.before:.1f} steps/s before, {self.during:.1f} during, {self.after:.1f} after "
            f"({self.after / self.before:.0%}); as before after {self.seconds:.1f} s"
        )


def _disturbed(plant: Plant, server, disturb: Callable[[Plant, object], None]) -> Recovery:
    _order(plant, 600)
    wait_until(lambda: Attempt.objects.filter(status="succeeded").count() > 20, seconds=60)
    began = plants.database_clock()
    time.sleep(BEFORE)
    hit_at = plants.database_clock()
    before = _throughput(began, hit_at)
    disturb(plant, server)
    over_at = plants.database_clock()
    _order(plant, 1500)
    back_at = _back(over_at, before)
    time.sleep(max(0.0, AFTER - (plants.database_clock() - back_at).total_seconds()))
    after = _throughput(back_at, back_at + timedelta(seconds=AFTER))
    return Recovery(before, _throughput(hit_at, max(over_at, hit_at + timedelta(seconds=1))), after,
                    (back_at - over_at).total_seconds())  # fmt: skip


def _back(over_at: datetime, before: float) -> datetime:
    """When the first window began in which as much was done as before."""
    since = over_at
    while True:
        while (now := plants.database_clock()) < since + timedelta(seconds=WINDOW):
            time.sleep(0.05)
        if _throughput(since, since + timedelta(seconds=WINDOW)) >= AS_BEFORE * before:
            return since
        since += timedelta(seconds=0.5)
        assert (now - over_at).total_seconds() < RECOVERED_WITHIN, "it is not as fast as before"


class TestThroughput:
    @pytest.mark.parametrize("name", DISTURBANCES)
    def test_is_what_it_was_once_the_disturbance_is_over(self, plant, postgres_server, capsys, name):
        seen = _disturbed(plant, postgres_server, DISTURBANCES[name])

        with capsys.disabled():
            sys.stdout.write(f"\n{name}: {seen}\n")
        assert seen.after >= AS_BEFORE * seen.before


# --- A dead worker's steps ----------------------------------------------------------------------------------------------

DEATHS = int(os.environ.get("DEATHS", "10"))
LATEST = LEASE + 5


class TestADeadHostsSteps:
    def test_are_anybodys_within_five_seconds_of_their_lease(self, plant, capsys):
        """The host is gone and with it whoever could give back what it held; another host's sweep finds it."""
        waits: list[float] = []
        with plant.another_worker(WORKERS="1", HANDS="1"):
            for _ in range(DEATHS):
                _order(plant, 200)
                wait_until(lambda: _held_by(plant.worker.pid).count() >= 4, seconds=60)
                held = set(_held_by(plant.worker.pid).values_list("pk", flat=True))
                died_at = plants.database_clock()
                _kill_the_host(plant.worker)
                waits += [(at - died_at).total_seconds() for at in _given_up(held)]
                plant.worker.start()
        waits.sort()
        with capsys.disabled():
            sys.stdout.write(
                f"\n{DEATHS} hosts killed, {len(waits)} steps held: claimable after {median(waits):.1f} s (median), "
                f"{waits[int(len(waits) * 0.95)]:.1f} s (p95), {waits[-1]:.1f} s (longest); lease {LEASE:.0f} s\n"
            )
        assert len(waits) >= DEATHS
        assert waits[-1] <= LATEST


def _given_up(held: set[UUID]) -> list[datetime]:
    """When each of these attempts, whose worker is dead, was taken from it."""
    mine = Attempt.objects.filter(pk__in=held)
    wait_until(lambda: not mine.filter(status="running").exists(), seconds=60)
    return list(mine.exclude(status="succeeded").values_list("finished_at", flat=True))


def _held_by(pid: int):
    """What the clusters of this supervisor have claimed."""
    return Attempt.objects.filter(status="running", worker__contains=f":{pid}:")
