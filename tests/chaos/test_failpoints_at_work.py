"""A real worker whose every process may break itself at every point: supervisor, sentinel, pusher, monitor, workers.

Reconciliations come in, people sign, and for as long as faults are on nobody's luck lasts. Then they are off: everything
must come to its end, each posting in the ERP's books exactly once.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import DatabaseError, connection
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from approvals.models import ApprovalRequest
from audit.actors import Actor
from orchestrator.models import Attempt, DeadLetter, Execution
from orchestrator.operations import dead_letters
from orchestrator.statuses import EXECUTION
from tests import trail
from tests.plant import Plant, running_plant, signing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
LEASE = 3.0
AT_ONCE = 12
KILLS = ["kill"] * 6 + ["fail", "drop", "terminate"]


@pytest.fixture
def plan(tmp_path) -> dict[str, object]:
    """What may happen to the processes of the worker."""
    files = {name: str(tmp_path / name) for name in ("log", "calm")}
    return {"seed": str(time.time()), "actions": KILLS, "odds": 0.05, **files}


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server, plan) -> Iterator[Plant]:
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    armed = {"DJANGO_SETTINGS_MODULE": "tests.faults.settings", "FAULTS": json.dumps(plan)}
    with running_plant(tmp_path, settings, dsn, **armed) as plant:
        yield plant


@contextmanager
def kept_running(plant: Plant) -> Iterator[list[float]]:
    """Whoever runs a site starts its worker again when it is gone."""
    over, again = threading.Event(), []

    def keep() -> None:
        while not over.wait(0.2):
            if plant.worker._process.poll() is not None:
                again.append(time.time())
                plant.worker.start()

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield again
    finally:
        over.set()
        thread.join()


class TestAWorkerThatBreaksItself:
    def test_loses_and_repeats_nothing(self, plant, plan, capsys, pytestconfig):
        calm, deaths = Path(str(plan["calm"])), Path(str(plan["log"]))
        end = time.monotonic() + pytestconfig.option.seconds
        with signing(plant), kept_running(plant) as again:
            number = 0
            while time.monotonic() < end:
                # As much as the machine can do at this moment, and no more.
                if Execution.objects.exclude(status__in=EXECUTION.final).count() < AT_ONCE:
                    number += 1
                    _order(plant, number)
                time.sleep(0.3)
            calm.touch()
            calm_at = time.monotonic()
            redriven = _wait_for_the_end(plant.world.ada)
        with capsys.disabled():
            sys.stdout.write(_figures(deaths, number, len(again), redriven, time.monotonic() - calm_at))

        assert set(plant.acknowledged) <= set(Execution.objects.values_list("pk", flat=True))
        assert set(Execution.objects.values_list("status", flat=True)) == {"succeeded"}
        plant.assert_each_posted_once()
        assert not Attempt.objects.filter(status="running").exists()
        trail.assert_whole()


def _order(plant: Plant, number: int) -> None:
    kinds = ["matched", "fee", *["refund"] * (number % 3 == 0), *["large"] * (number % 5 == 0)]
    if number < 999:
        plant.order(number, *kinds)


def _wait_for_the_end(by: Actor, seconds: float = 240) -> int:
    """What died so often that it became a dead letter is for a person to redrive, and is counted."""
    redriven, deadline = 0, time.monotonic() + seconds
    while True:
        try:
            if not Execution.objects.exclude(status__in=EXECUTION.final).exists():
                return redriven
            for letter in DeadLetter.objects.filter(status="open"):
                dead_letters.requeue(letter_id=letter.pk, by=by)
                redriven += 1
        except DatabaseError:
            connection.close()
        assert time.monotonic() < deadline, _unfinished()
        time.sleep(0.2)


def _unfinished() -> list[tuple[object, ...]]:
    """What waits for what, for whoever has to find out why."""
    live = Execution.objects.exclude(status__in=EXECUTION.final)
    asked = ApprovalRequest.objects.filter(execution_id__in=live.values("pk"))
    return [
        *live.values_list("business_key", "status", "steps__key", "steps__status", "steps__why"),
        *asked.values_list("execution_id", "status", "required", "next_notice_at"),
    ]


def _longest_until_claimable() -> float:
    """From the last sign of life of an attempt whose worker died until its step was anybody's again, in seconds."""
    lost = Attempt.objects.filter(failure_class="lost").annotate(
        alive_at=Greatest(F("claimed_at"), Coalesce("started_at", "claimed_at"), Coalesce("heartbeat_at", "claimed_at"))
    )
    waits = [(attempt.finished_at - attempt.alive_at).total_seconds() for attempt in lost]
    return max(waits, default=0.0)


def _figures(deaths: Path, orders: int, again: int, redriven: int, seconds: float) -> str:
    lines = [line.split() for line in deaths.read_text().splitlines()] if deaths.exists() else []
    points, roles = {line[3] for line in lines}, Counter(line[2].split("/")[0] for line in lines if line[4] == "kill")
    actions = Counter(line[4] for line in lines)
    lost = Attempt.objects.filter(failure_class="lost").count()
    return (
        f"\n{orders} reconciliations, {len(lines)} faults at {len(points)} points: {dict(actions)}; killed {dict(roles)}; "
        f"supervisor started again {again} times; {lost} attempts lost, {redriven} redriven; at rest {seconds:.1f} s after "
        f"the last fault; longest until claimable {_longest_until_claimable():.1f} s (lease {LEASE:.0f} s)\n"
    )
