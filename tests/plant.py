"""The reconciliation example at work: its ERP and ledger, a real worker, people who sign. And ways to kill each of them.

The ERP's own books are the witness of every test that uses this: nothing the control plane wrote judges it.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from django.db import DatabaseError, connection

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from audit.actors import Actor
from audit.refusals import Refusal
from orchestrator.models import Execution
from orchestrator.operations import executions
from orchestrator.releases.folders import folder_of, install
from orchestrator.statuses import EXECUTION
from tests import make as people
from tests import worlds as make
from tests.signing import voice
from tests.unit.example_world import ERP, LEDGER, System, running

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("reference", "booked_on", "amount", "currency", "counterparty", "document", "text")
# What one bank row leads to: nothing, a posting nobody signs, one with one signature, one with two.
ROWS = {
    "matched": ("512.00", "Atelier", "INV-{0}", "Invoice INV-{0}"),
    "fee": ("-{0}.90", "", "", "Card fee"),
    "refund": ("-64.50", "Atelier", "CN-{0}", "Credit note CN-{0} chair returned"),
    "large": ("2750.00", "Atelier", "", "Second payment as agreed"),
}
POSTED = ("fee", "refund", "large")
PATIENCE = 60.0


def fee(number: int) -> str:
    """The amount of that order's small posting: what tells its requests from others. Orders count to 999."""
    return f"{number}.90"


def rows(number: int, kinds: tuple[str, ...]) -> dict[str, list[dict[str, str]]]:
    """A bank statement with one row of each kind and the ledger beside it; no two numbers share a reference."""
    bank = [_row(f"BS-{number}-{kind}", number, kind) for kind in kinds]
    ledger = [{**row, "reference": f"GL-{number}"} for row in bank if row["reference"].endswith("matched")]
    return {"bank": bank, "ledger": ledger or [_row(f"GL-{number}", number, "matched")]}


def _row(reference: str, number: int, kind: str) -> dict[str, str]:
    amount, *about = (part.format(number) for part in ROWS[kind])
    return dict(zip(COLUMNS, (reference, "2026-04-01", amount, "EUR", *about), strict=True))


class Worker:
    """`manage.py worker` as a process of its own, as `make run` starts it."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self.log = environment, log
        self.start()

    def start(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "worker"], cwd=ROOT, env=self._environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self, number: int = signal.SIGINT) -> list[psutil.Process]:
        """Ask it to end, as Ctrl-C does. What of it is still alive then. Left alive, it would do the next test's work."""
        # Python may pass over a signal that comes before it runs any of our code.
        make.wait_until(lambda: self._process.poll() is not None or self._has_started(), seconds=PATIENCE)
        family = self.family()
        self._process.send_signal(number)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return psutil.wait_procs(family, timeout=5)[1]

    def _has_started(self) -> bool:
        return f"pid {self.pid}: " in self.log.read_text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def family(self) -> list[psutil.Process]:
        """Everything the supervisor started, and what that started."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []

    def cluster(self) -> psutil.Process | None:
        """The first process of the django-q2 cluster: the leader of its group."""
        return next(iter(self._children(self._process.pid)), None)

    def muscles(self) -> list[psutil.Process]:
        """The cluster's workers, its monitor and its pusher."""
        cluster = self.cluster()
        sentinels = self._children(cluster.pid) if cluster else []
        return [process for sentinel in sentinels for process in self._children(sentinel.pid)]

    def runners(self) -> list[psutil.Process]:
        """Keepers and children of the execution plane."""
        return [process for process in self.family() if _is_runner(process)]

    def _children(self, pid: int) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [process for process in psutil.Process(pid).children() if not _is_runner(process)]
        return []


def _is_runner(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return "runner/child.py" in " ".join(process.cmdline())
    return False


class Plant:
    """Orders go in, postings come out."""

    def __init__(self, world: make.World, erp: System, ledger: System, worker: Callable[..., Worker]) -> None:
        self.world, self.erp, self.ledger = world, erp, ledger
        self._hire = worker
        self.worker = worker()
        self.acknowledged: list[Any] = []

    def order(self, number: int, *kinds: str) -> Execution:
        """Start one reconciliation. What is returned is acknowledged."""
        execution = executions.start(
            workflow="reconciliation", input=rows(number, kinds), unit="finance", by=self.world.ada,
            business_key=f"order {number} {' '.join(kinds)}",
        )  # fmt: skip
        self.acknowledged.append(execution.pk)
        return execution

    @contextmanager
    def another_worker(self, **more: str) -> Iterator[Worker]:
        """A second host on the same database. `more` are settings of it, by environment variable."""
        other = self._hire(**more)
        try:
            yield other
        finally:
            other.stop()

    def wait_for(self, execution: Execution, *statuses: str, seconds: float = PATIENCE) -> Execution:
        """Wait until it is in one of these, or over."""

        def arrived() -> bool:
            execution.refresh_from_db()
            return execution.status in (statuses or EXECUTION.final)

        make.wait_until(arrived, seconds=seconds)
        return execution

    def postings(self) -> Counter[tuple[str, int]]:
        """The ERP's books: how often each row was posted, with how many lines."""
        found = self.erp.get("/books")["postings"]
        return Counter((posting["reference"].split("-", 2)[2], posting["lines_written"]) for posting in found)

    def assert_each_posted_once(self) -> None:
        """One posting of four lines for each row that asks for one, of every execution there is; and none besides."""
        keys = Execution.objects.values_list("business_key", flat=True)
        orders = [key.split()[1:] for key in keys]
        expected = {(f"BS-{number}-{kind}", 4) for number, *kinds in orders for kind in kinds if kind in POSTED}
        assert self.postings() == dict.fromkeys(expected, 1)


@contextmanager
def running_plant(tmp_path: Path, settings: Any, dsn: str, **more: str) -> Iterator[Plant]:
    """The whole example on a test database. `more` are settings of the worker, by environment variable."""
    world = make.world()
    people.person("operator", "view", "operate", "review", of=world.unit)
    install(folder_of("reconciliation"), by=make.SETUP)
    with ExitStack() as stack:
        erp = stack.enter_context(running(ERP, tmp_path / "erp"))
        ledger = stack.enter_context(running(LEDGER, tmp_path / "ledger"))
        environment = {
            **os.environ, "DATABASE_URL": dsn, "VAR_DIR": str(tmp_path / "var"), "ERP_URL": erp.url,
            "LEDGER_URL": ledger.url, "LEASE_SECONDS": "3", "SWEEP_SECONDS": "0.3", "WORKERS": "2", **more,
        }  # fmt: skip
        plant = Plant(world, erp, ledger, lambda **own: Worker({**environment, **own}, tmp_path / "worker.log"))
        try:
            yield plant
        finally:
            plant.worker.stop()


@contextmanager
def signing(plant: Plant) -> Iterator[None]:
    """Two people sign whatever is held, for as long as the block runs."""
    over = threading.Event()

    def sign_everything() -> None:
        while not over.wait(0.1):
            _sign_what_waits(plant.world.grace, plant.world.linus)
        connection.close()

    thread = threading.Thread(target=sign_everything)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _sign_what_waits(*signers: Actor) -> None:
    try:
        for request in ApprovalRequest.objects.filter(status="pending"):
            for signer in signers[: request.required]:
                with suppress(Refusal):
                    sign(request, signer)
    except DatabaseError:
        connection.close()  # it is being restarted: people try again


def sign(request: ApprovalRequest, by: Actor) -> None:
    """A person approves exactly what they see."""
    approvals.approve(request_id=request.pk, by=by, voice=voice(request, by=by))


# --- Ways to die -----------------------------------------------------------------------------------------------


def kill_a_runner(plant: Plant) -> bool:
    return _kill_one(plant.worker.runners())


def kill_a_muscle(plant: Plant) -> bool:
    """One of django-q2's workers, or its pusher, or its monitor."""
    return _kill_one(plant.worker.muscles())


def kill_the_cluster(plant: Plant) -> bool:
    cluster = plant.worker.cluster()
    if cluster is None:
        return False
    with suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)
    return True


def kill_the_supervisor(plant: Plant) -> bool:
    """As `make run` does, it is started again."""
    plant.worker.kill()
    plant.worker.start()
    return True


def _kill_one(processes: list[psutil.Process]) -> bool:
    if not processes:
        return False
    with suppress(psutil.NoSuchProcess):
        random.choice(processes).kill()
    return True


def database_clock() -> Any:
    """The time of the database, across its restarts."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT clock_timestamp()")
                return cursor.fetchone()[0]
        except DatabaseError:
            connection.close()
            assert time.monotonic() < deadline, "the database does not come back"
            time.sleep(0.05)
