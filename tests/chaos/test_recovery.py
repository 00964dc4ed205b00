"""How fast is the work again after a disturbance? Completed executions per second after it, over those just before it.

Five disturbances, as the study of eight queues has them: a restart of the database, its sessions killed, no connection to be had,
a crash of all workers, one killed again and again. The rates are read from the database's own time stamps.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from django.db import DatabaseError, connection

from orchestrator.models import Attempt, Execution
from orchestrator.operations import executions
from tests import plant as plants
from tests.plant import Worker, database_clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
WINDOW, GRACE = 10.0, 5.0
AHEAD = 120


@pytest.fixture
def worker(broken_world, postgres_server, tmp_path) -> Iterator[Worker]:
    """At work on more than it can do, and with more coming."""
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    environment = {
        **os.environ, "DATABASE_URL": dsn, "VAR_DIR": str(tmp_path / "var"), "LEASE_SECONDS": "3", "SWEEP_SECONDS": "0.3",
        "WORKERS": "2", "ERP_URL": broken_world.ledger,
    }  # fmt: skip
    over = threading.Event()
    feeder = threading.Thread(target=_feed, args=(broken_world, over))
    feeder.start()
    worker = Worker(environment, tmp_path / "worker.log")
    try:
        yield worker
    finally:
        over.set()
        feeder.join()
        worker.stop()


def _feed(world, over: threading.Event) -> None:
    """Never fewer than so many wait."""
    number = 0
    while not over.is_set():
        try:
            waiting = Execution.objects.filter(status="queued").count()
            for _ in range(max(0, AHEAD - waiting)):
                number += 1
                executions.start(
                    workflow="three_steps", input={"ref": f"F-{number}"}, unit="finance", by=world.world.ada
                )
        except DatabaseError:
            connection.close()
        over.wait(0.2)
    connection.close()


def _sessions_are_killed(worker: Worker, server) -> None:
    with psycopg.connect(server.dsn(connection.settings_dict["NAME"]), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


def _no_connection_is_to_be_had(worker: Worker, server) -> None:
    """Somebody else takes all of them, and for five seconds whoever lost one gets none."""
    held: list[psycopg.Connection] = []
    with suppress(psycopg.OperationalError):
        while True:
            held.append(psycopg.connect(server.dsn(connection.settings_dict["NAME"]), autocommit=True))
    mine = [line.info.backend_pid for line in held]
    held[0].execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdpoint' AND pid <> ALL (%s)",
        [mine],
    )
    time.sleep(5)
    for line in held:
        line.close()


def _killed_again_and_again(worker: Worker, server) -> None:
    for _ in range(8):
        plants.kill_a_muscle(SimpleNamespace(worker=worker))
        time.sleep(1)


DISTURBANCES: dict[str, Callable[[Worker, object], object]] = {
    "the database restarts": lambda worker, server: server.restart_immediate(),
    "its sessions are killed": _sessions_are_killed,
    "no connection is to be had for 5 s": _no_connection_is_to_be_had,
    "all workers crash": lambda worker, server: plants.kill_the_cluster(SimpleNamespace(worker=worker)),
    "a process is killed every second, 8 times": _killed_again_and_again,
}


class TestAfterADisturbance:
    @pytest.mark.parametrize("name", DISTURBANCES)
    def test_the_work_goes_on_as_before(self, worker, postgres_server, name, capsys):
        plants.make.wait_until(lambda: Execution.objects.filter(status="succeeded").count() > 30, seconds=60)
        time.sleep(WINDOW)
        before, began = _rate(database_clock()), time.monotonic()
        DISTURBANCES[name](worker, postgres_server)
        connection.close()
        disturbed_for, gone_at = time.monotonic() - began, database_clock()
        time.sleep(GRACE + WINDOW)
        after = _rate(database_clock())
        first = (
            Attempt.objects.filter(started_at__gt=gone_at)
            .order_by("started_at")
            .values_list("started_at", flat=True)[0]
        )
        with capsys.disabled():
            sys.stdout.write(
                f"\n{name}: {before:.1f}/s before, {after:.1f}/s after: {100 * after / before:.0f} %; disturbed for "
                f"{disturbed_for:.1f} s, the next step began {(first - gone_at).total_seconds():.1f} s later\n"
            )
        # Other work on the machine makes a rate vary by a third; what does not recover stays at a fifth.
        assert after > before * 0.6


def _rate(until) -> float:
    """Executions completed per second in the window that ends now."""
    ends = Execution.objects.filter(finished_at__gt=until - timedelta(seconds=WINDOW), finished_at__lte=until)
    return ends.count() / WINDOW
