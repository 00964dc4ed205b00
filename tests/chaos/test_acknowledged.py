"""PostgreSQL crashes again and again while clients start executions: what was acknowledged is there, and once.

Each client keeps its own list, in a process and a file of its own. A start that got no answer may be there or not, but not twice.
"""

import os
import random
import sys
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from django.db import Error, connection

from orchestrator.models import Execution
from orchestrator.operations import executions
from tests.faults.driver import _kept

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
CLIENTS = 2


class TestWhatWasAcknowledged:
    def test_survives_every_crash_of_the_database(self, broken_world, postgres_server, tmp_path, pytestconfig, capsys):
        over = tmp_path / "over"
        clients = [_client(number, broken_world, tmp_path, over) for number in range(CLIENTS)]
        restarts, end = 0, time.monotonic() + pytestconfig.option.seconds
        while time.monotonic() < end:
            time.sleep(random.uniform(0.3, 1.5))
            postgres_server.restart_immediate()
            restarts += 1
        over.touch()
        for pid in clients:
            os.waitpid(pid, 0)
        connection.close()

        told = [line.split() for path in tmp_path.glob("list-*") for line in path.read_text().splitlines()]
        acknowledged = {key: pk for kind, key, pk in told if kind == "ok"}
        doubtful = {key for kind, key, _ in told if kind == "info"}
        rows = list(Execution.objects.values_list("business_key", "pk"))
        stored = {key: str(pk) for key, pk in rows}
        lost = [key for key, pk in acknowledged.items() if stored.get(key) != pk]
        happened = len(doubtful & stored.keys())
        with capsys.disabled():
            sys.stdout.write(
                f"\n{restarts} immediate restarts, {len(acknowledged)} acknowledged starts, {len(lost)} lost; "
                f"{len(doubtful)} without an answer, of which {happened} had happened\n"
            )
        assert lost == []
        assert len(rows) == len(stored)
        assert stored.keys() <= acknowledged.keys() | doubtful


def _client(number: int, world, folder: Path, over: Path) -> int:
    """A process that starts executions for as long as it may. What it was told stands in its list."""
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
                    workflow="three_steps", input={"ref": key}, unit="finance", by=world.world.ada, business_key=key
                )
                told.write(f"ok {key} {made.pk}\n")
            except Error:
                connection.close()
                told.write(f"info {key} -\n")
                time.sleep(0.05)
    os._exit(0)
