"""Workers whose clocks are ten minutes off, one ahead and one behind: what comes of the work is the same.

Each is a real worker on a wall clock that is wrong from its first instruction (`wrong_clock.c`). The database's clock and
the ERP's books are the witnesses. `make clocks` runs it; it needs a C compiler, as `cc`.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.models import Max, Min

from approvals.models import ApprovalRequest
from orchestrator.models import Attempt, Execution
from tests import plant as plants
from tests import trail
from tests.plant import Plant, running_plant, signing
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(0)]
SOURCE = Path(__file__).with_name("wrong_clock.c")
MINUTES = 10
KINDS = (("matched", "fee"), ("fee", "refund"), ("fee", "large"), ("matched",))
ORDERS = 40
PATIENCE = 240.0
# Times that are reckoned ahead on purpose: everything else has happened when it is read.
AHEAD = {
    "decide_by",
    "use_by",
    "held_until",
    "due_at",
    "next_notice_at",
    "deadline_at",
    "lease_expires_at",
    "next_attempt_at",
}
LEASE = timedelta(seconds=3)  # of tests.plant


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """What makes a process's clock wrong."""
    assert shutil.which("cc"), "needs a C compiler: apt-get install gcc libc6-dev"
    made = tmp_path_factory.mktemp("clock") / "wrong_clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, SOURCE], check=True)
    return made


def off(library: Path, minutes: int) -> dict[str, str]:
    """The environment of a process whose clock is off."""
    return {"LD_PRELOAD": str(library), "CLOCK_OFF": str(minutes * 60)}


def clock(environment: dict[str, str]) -> float:
    """What a process with this environment takes for now, less the time since the machine was started."""
    asks = [sys.executable, "-c", "import time; print(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))"]
    return float(subprocess.check_output(asks, env=environment, text=True))


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server, library) -> Iterator[Plant]:
    """One host ten minutes ahead, one ten minutes behind, none right."""
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with (
        running_plant(tmp_path, settings, dsn, **off(library, MINUTES)) as plant,
        plant.another_worker(**off(library, -MINUTES)),
    ):
        yield plant


def ended(plant: Plant) -> None:
    wait_until(lambda: not Execution.objects.exclude(status="succeeded").exists(), seconds=PATIENCE)
    plant.assert_each_posted_once()
    assert not Attempt.objects.filter(status="running").exists()
    trail.assert_whole()


class TestWorkersWithWrongClocks:
    def test_have_them(self, library):
        """Else nothing below would be a test."""
        assert clock(off(library, MINUTES)) - clock({}) == pytest.approx(MINUTES * 60, abs=1)

    def test_do_the_same_work_and_take_nothing_from_each_other(self, plant, capsys):
        with signing(plant):
            for number in range(ORDERS):
                if number % 8 == 0:  # a call that lasts longer than a lease, which is renewed meanwhile
                    plant.erp.plan("timeout_after_partial", times=1, seconds=5, match={"amount": plants.fee(number)})
                plant.order(number, *KINDS[number % len(KINDS)])
            ended(plant)

        hosts = set(Attempt.objects.values_list("worker", flat=True))
        with capsys.disabled():
            sys.stdout.write(
                f"\n{ORDERS} executions by {len(hosts)} clusters of two hosts, {MINUTES} minutes off each\n"
            )
        assert len({host.split(":")[1] for host in hosts if host}) == 2
        # A lease reckoned by a wrong clock would be over at once, or not for ten minutes.
        assert not Attempt.objects.filter(failure_class="lost").exists()
        assert not Attempt.objects.filter(lease_expires_at__gt=plants.database_clock() + LEASE).exists()
        found = wrong_times()
        assert not found, "\n".join(found)

    def test_give_people_the_time_the_policy_gives(self, plant):
        plant.order(1, "large")
        wait_until(ApprovalRequest.objects.filter(status="pending").exists, seconds=PATIENCE)
        request = ApprovalRequest.objects.get()
        assert request.decide_by - request.created_at == timedelta(days=1)
        assert request.created_at <= plants.database_clock() < request.created_at + timedelta(minutes=MINUTES / 2)
        time.sleep(3)  # ten rounds of either host's sweep: the time is not over, by anybody's clock that counts
        assert ApprovalRequest.objects.get().status == "pending"
        with signing(plant):
            ended(plant)

    def test_lose_nothing_when_they_are_killed(self, plant):
        with signing(plant):
            for number in range(ORDERS // 2):
                plant.order(number, *KINDS[number % len(KINDS)])
                if number % 4 == 3:
                    plants.kill_a_runner(plant)
                if number % 8 == 7:
                    plants.kill_the_cluster(plant)
            ended(plant)


def wrong_times() -> list[str]:
    """Columns that hold a moment of somebody's wrong clock: after now, or before this world was made."""
    found = []
    for model in apps.get_models():
        if model._meta.app_label not in ("orchestrator", "approvals", "audit", "budgets") or not model._meta.managed:
            continue
        for field in model._meta.concrete_fields:
            if isinstance(field, models.DateTimeField) and field.name not in AHEAD:
                seen = model._base_manager.aggregate(first=Min(field.name), last=Max(field.name))
                now = plants.database_clock()
                if seen["last"] and (seen["last"] > now or (now - seen["first"]).total_seconds() > 540):
                    found.append(f"{model.__name__}.{field.name}: {seen['first']} to {seen['last']}, now {now}")
    return found
