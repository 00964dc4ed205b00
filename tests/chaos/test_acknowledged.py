"""PostgreSQL crashes again and again while clients start executions: what was acknowledged is there, and once.

Each client keeps its own list, in a process and a file of its own. A start that got no answer may be there or not, but not twice.
`RESTARTS=100 make acknowledged` crashes it a hundred times, each time after another thousand starts were acknowledged.
"""

import os
import random
import sys
import time
from contextlib import suppress
from ctypes import c_longlong
from itertools import count
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

import pytest
from django.db import Error, connection
from django.utils import timezone

from orchestrator.models import Execution
from orchestrator.operations import executions
from tests.faults.driver import _kept

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
RESTARTS = int(os.environ.get("RESTARTS", "10"))
# Several wait for the disk together, so one write of it acknowledges several of them.
CLIENTS = 6
# Acknowledged from one crash to the next, at least.
BETWEEN = 1_000


class TestWhatWasAcknowledged:
    def test_survives_every_crash_of_the_database(self, broken_world, postgres_server, tmp_path, capsys):
        since, began = timezone.now(), time.monotonic()
        over, told_so_far = tmp_path / "over", RawArray(c_longlong, CLIENTS)
        clients = [_client(number, broken_world, tmp_path, over, told_so_far) for number in range(CLIENTS)]
        for restart in range(RESTARTS):
            while sum(told_so_far) < BETWEEN * (restart + 1):
                assert os.waitpid(-1, os.WNOHANG) == (0, 0), "a client broke"
                time.sleep(0.02)
            time.sleep(random.uniform(0, 0.1))
            postgres_server.restart_immediate()
        over.touch()
        for pid in clients:
            os.waitpid(pid, 0)
        seconds = time.monotonic() - began
        connection.close()

        told = [line.split() for path in tmp_path.glob("list-*") for line in path.read_text().splitlines()]
        acknowledged = {key: pk for kind, key, pk in told if kind == "ok"}
        doubtful = {key for kind, key, _ in told if kind == "info"}
        rows = list(Execution.objects.filter(created_at__gte=since).values_list("business_key", "pk"))
        stored = {key: str(pk) for key, pk in rows}
        lost = [key for key, pk in acknowledged.items() if stored.get(key) != pk]
        happened = len(doubtful & stored.keys())
        with capsys.disabled():
            sys.stdout.write(
                f"\n{RESTARTS} immediate restarts, {len(acknowledged)} acknowledged starts, {len(lost)} lost; "
                f"{len(doubtful)} without an answer, of which {happened} had happened; {seconds:.0f} s\n"
            )
        assert lost == []
        assert len(rows) == len(stored)
        assert stored.keys() <= acknowledged.keys() | doubtful


def _client(number: int, world, folder: Path, over: Path, told_so_far) -> int:
    """A process that starts executions until it is over. What it was told stands in its list."""
    pid = os.fork()
    if pid:
        return pid
    _kept.append(connection.connection)
    connection.connection = None
    with suppress(BaseException), (folder / f"list-{number}").open("w", buffering=1) as told:
        for turn in count():
            if over.exists():
                break
            key = f"{number}-{turn}"
            try:
                made = executions.start(
                    workflow="class_c", input={"ref": key}, unit="finance", by=world.world.ada, business_key=key
                )
                told.write(f"ok {key} {made.pk}\n")
                told_so_far[number] += 1
            except Error:
                connection.close()
                told.write(f"info {key} -\n")
                time.sleep(0.05)
    os._exit(0)
