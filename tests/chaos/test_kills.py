"""Kill what runs, at any moment of running reconciliations: all end, each posting is in the ERP's books exactly once.

`make chaos` runs 200 executions under each kind of death; `make slow` runs a few under all of them.
"""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from django.db import DatabaseError, connection
from django.db.models import Min

from orchestrator.models import Attempt, DeadLetter, Execution
from orchestrator.operations import dead_letters
from orchestrator.statuses import EXECUTION, ExecutionStatus
from tests import plant as plants
from tests import trail
from tests.plant import Plant, running_plant, signing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]
EXECUTIONS = 200
FAULTS = ("timeout_after_partial", "error_after_effect", "drop_reply", "down")


@dataclass(frozen=True)
class Death:
    """What dies, and how long after the one before: a cluster needs a second or two to get to work at all."""

    of: str
    kill: Callable[[Plant], bool]
    pause: tuple[float, float]


RUNNER = Death("a runner", plants.kill_a_runner, (0.1, 1.5))
MUSCLE = Death("a django-q2 process", plants.kill_a_muscle, (0.5, 5))
CLUSTER = Death("the whole cluster", plants.kill_the_cluster, (1.5, 6))
SUPERVISOR = Death("the supervisor", plants.kill_the_supervisor, (1.5, 6))
DEATHS = (RUNNER, MUSCLE, CLUSTER, SUPERVISOR)


@dataclass
class Figures:
    """What a run of chaos was, for people to read."""

    name: str
    executions: int
    began: float = field(default_factory=time.monotonic)
    deaths: list[datetime] = field(default_factory=list)
    unanswered: int = 0
    redriven: int = 0

    def __str__(self) -> str:
        ends = [*self.deaths[1:], None]
        waits = sorted(filter(None, map(_until_work_began_again, self.deaths, ends)))
        again = f"{waits[len(waits) // 2]:.1f} s (median), {waits[-1]:.1f} s (longest)" if waits else "no wait"
        lost = Attempt.objects.filter(failure_class="lost").count()
        return (
            f"\n{self.name}: {self.executions} executions, {len(self.deaths)} kills, {lost} attempts lost, "
            f"{self.unanswered} starts unanswered, {self.redriven} redriven; the next step began after {again}; "
            f"{time.monotonic() - self.began:.0f} s in all\n"
        )


def _until_work_began_again(died_at: datetime, next_death: datetime | None) -> float | None:
    """Seconds until a step began; None when the next death came first."""
    began = Attempt.objects.filter(started_at__gt=died_at).aggregate(first=Min("started_at"))["first"]
    if began is None or (next_death is not None and began > next_death):
        return None
    return (began - died_at).total_seconds()


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server) -> Iterator[Plant]:
    """At work already when the test begins."""
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with running_plant(tmp_path, settings, dsn) as plant:
        plant.wait_for(plant.order(999, "fee"))
        yield plant


@pytest.fixture
def postgres(postgres_server) -> Death:
    """A crash, as after a power cut; whoever was connected has to find out."""

    def crash(plant: Plant) -> bool:
        postgres_server.restart_immediate()
        connection.close()
        return True

    return Death("PostgreSQL", crash, (1, 5))


@pytest.fixture
def judge(plant, capsys) -> Callable[[Figures], None]:
    """The promises, after the dust has settled."""

    def judge(figures: Figures) -> None:
        with capsys.disabled():
            sys.stdout.write(str(figures))
        executions = Execution.objects.all()
        assert len(plant.acknowledged) + figures.unanswered == figures.executions + 1
        assert set(plant.acknowledged) <= set(executions.values_list("pk", flat=True))
        assert set(executions.values_list("status", flat=True)) == {"succeeded"}
        plant.assert_each_posted_once()
        assert not Attempt.objects.filter(status="running").exists()
        trail.assert_whole()

    return judge


def run(plant: Plant, deaths: list[Death], *, executions: int, kills: int, every: float) -> Figures:
    """Orders come in, people sign, the ERP misbehaves, and something dies again and again while there is work."""
    names = {death.of for death in deaths}
    figures = Figures(names.pop() if len(names) == 1 else "all of them", executions)
    orders = threading.Thread(target=_order_all, args=(plant, figures, every))
    with signing(plant):
        orders.start()
        while len(figures.deaths) < kills and (orders.is_alive() or _at_work().exists()):
            _die(plant, deaths[len(figures.deaths) % len(deaths)], figures)
        orders.join()
        _wait_for_the_end(plant, figures)
    return figures


def _die(plant: Plant, death: Death, figures: Figures) -> None:
    time.sleep(random.uniform(*death.pause))
    died_at = plants.database_clock()
    if death.kill(plant):
        figures.deaths.append(died_at)
        plants.database_clock()


def _order_all(plant: Plant, figures: Figures, every: float) -> None:
    for number in range(1, figures.executions + 1):
        _order(plant, number, figures)
        time.sleep(every)
    connection.close()


def _order(plant: Plant, number: int, figures: Figures) -> None:
    """Every third asks for one signature, every fifth for two, every fourth meets a fault of the ERP."""
    kinds = ["matched", "fee", *["refund"] * (number % 3 == 0), *["large"] * (number % 5 == 0)]
    if number % 4 == 0:
        plant.erp.plan(random.choice(FAULTS), times=1, seconds=3, match={"amount": plants.fee(number)})
    try:
        plant.order(number, *kinds)
    except DatabaseError:
        # Nobody knows whether it was started: the rows decide what the books must show.
        connection.close()
        figures.unanswered += 1


def _live():
    plants.database_clock()
    return Execution.objects.exclude(status__in=EXECUTION.final)


def _at_work():
    """A dead letter waits for a person: beside it alone there may be nothing left to kill."""
    return _live().exclude(status=ExecutionStatus.DEAD_LETTERED)


def _wait_for_the_end(plant: Plant, figures: Figures) -> None:
    """What was killed so often that it became a dead letter is for a person to redrive, and is counted."""
    deadline = time.monotonic() + 300
    while _live().exists():
        for letter in DeadLetter.objects.filter(status="open"):
            dead_letters.requeue(letter_id=letter.pk, by=plant.world.ada)
            figures.redriven += 1
        columns = ("business_key", "status", "steps__key", "steps__status", "steps__why")
        assert time.monotonic() < deadline, list(_live().values_list(*columns))
        time.sleep(0.2)


@pytest.mark.chaos
class TestKillingAgainAndAgain:
    @pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.of)
    def test_a_process_loses_and_repeats_nothing(self, plant, death, judge):
        judge(run(plant, [death], executions=EXECUTIONS, kills=40, every=0.1))

    def test_the_database_loses_and_repeats_nothing(self, plant, postgres, judge):
        judge(run(plant, [postgres], executions=EXECUTIONS, kills=40, every=0.1))

    def test_everything_loses_and_repeats_nothing(self, plant, postgres, judge):
        deaths = [*DEATHS, postgres] * 8
        random.shuffle(deaths)
        judge(run(plant, deaths, executions=EXECUTIONS, kills=40, every=0.1))

    def test_idle_workers_is_noticed_whenever_the_rest_freezes(self, plant, judge, capsys):
        """A django-q2 worker that dies holding the queue's lock stops all others for ever, alive as they are."""
        figures = Figures("idle django-q2 workers", 12)
        for number in range(1, figures.executions + 1):
            figures.deaths.append(plants.database_clock())
            plant.worker.muscles()[number % 2].kill()
            plant.wait_for(plant.order(number, "fee"))

        judge(figures)
        froze = plant.worker.log.read_text().count("claimed work does not progress")
        with capsys.disabled():
            sys.stdout.write(f"the cluster froze and was replaced {froze} times\n")


@pytest.mark.slow
class TestKillingEachOnce:
    def test_loses_and_repeats_nothing(self, plant, postgres, judge):
        quick = [replace(death, pause=(0.3, 1.5)) for death in (*DEATHS, postgres)]
        figures = run(plant, quick, executions=12, kills=5, every=0.7)
        judge(figures)
        assert len(figures.deaths) == len(quick)
