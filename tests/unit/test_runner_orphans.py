"""Children live exactly as long as somebody answers for them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from orchestrator.engine.runners.pool import Limits, RunnerPool
from orchestrator.engine.runners.process import RunnerProcess
from tests.unit.runner_world import CODE, LADDER, descendants, failure, is_alive, job, mark, result, sleeping, until

ROOT = Path(__file__).resolve().parents[2]
ENGINE = """
import sys, threading
sys.path.insert(0, {root!r})
from orchestrator.engine.runners.pool import Job, RunnerPool
pool = RunnerPool(walls={walls!r}, spares=2)
def run(entry):
    pool.run(Job({code!r}, entry, "tool", {{"mark": {mark!r}}}, trust_key=entry, timeout_seconds=60))
run("hostile:run_a_program")
for entry in ("hostile:hang_deaf", "hostile:spin", "hostile:daemonise_and_hang"):
    threading.Thread(target=run, args=(entry,), daemon=True).start()
print("running", flush=True)
threading.Event().wait()
"""


@pytest.fixture(params=[*LADDER], ids=["all walls", "no namespaces", "bare"])
def engine(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process with busy children: one deaf, one spinning, one that made a daemon."""
    strays = mark()
    code = ENGINE.format(root=str(ROOT), walls=request.param, code=CODE, mark=strays)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    assert until(lambda: len(sleeping(strays)) == 1, 20)
    yield process, strays
    process.kill()
    process.wait()
    process.stdout.close()


class TestWhenTheEngineDies:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_no_process_and_no_folder_survives(
        self, engine: tuple[subprocess.Popen[str], str], number: signal.Signals
    ) -> None:
        process, strays = engine
        family = psutil.Process(process.pid).children(recursive=True)
        folders = {folder for child in family if (folder := _folder(child))}
        assert len(folders) >= 4  # three busy and a spare

        process.send_signal(number)
        process.wait(10)

        assert until(lambda: not any(is_alive(child) for child in family))
        assert sleeping(strays) == []
        assert until(lambda: not any(folder.exists() for folder in folders))


def _folder(keeper: psutil.Process) -> Path | None:
    """The folder a keeper was started with."""
    command = " ".join(keeper.cmdline())
    _, found, rest = command.partition('"directory": "')
    return Path(rest.partition('"')[0]) if found else None


class TestWhenAProcessIsKilled:
    @pytest.mark.parametrize("place", [0, 1], ids=["the keeper", "the child"])
    def test_while_idle_the_other_dies_too_and_the_next_run_does_not_notice(self, place: int) -> None:
        with closing(RunnerPool(spares=0)) as pool:
            before = descendants()
            result(pool.run(job("echo")))
            keeper_and_child = sorted(descendants() - before, key=lambda one: one.pid)
            keeper_and_child[place].kill()

            assert until(lambda: not any(is_alive(one) for one in keeper_and_child))
            assert result(pool.run(job("echo", {"again": True}))) == {"again": True}

    @pytest.mark.parametrize("place", [0, 1], ids=["the keeper", "the child"])
    def test_while_it_runs_the_attempt_crashed(self, place: int) -> None:
        with closing(RunnerPool(spares=0)) as pool, ThreadPoolExecutor() as threads:
            before = descendants()
            result(pool.run(job("echo")))
            keeper_and_child = sorted(descendants() - before, key=lambda one: one.pid)
            running = threads.submit(pool.run, job("sleep", {"seconds": 30}, timeout_seconds=60))
            assert not until(running.done, 0.2)
            keeper_and_child[place].kill()
            outcome = failure(running.result(10))

        assert (outcome.failure_class, outcome.detail["exit_code"]) == ("crash", 128 + signal.SIGKILL)
        assert not any(is_alive(one) for one in keeper_and_child)


class TestAProcessForkedFromTheEngine:
    def test_can_neither_use_nor_end_the_children_of_its_parent(self) -> None:
        with closing(RunnerPool(spares=1)) as pool:
            first = result(pool.run(job("count")))
            worker = multiprocessing.get_context("fork").Process(target=_use, args=(pool,))
            worker.start()
            worker.join(20)

            assert worker.exitcode == 0
            assert result(pool.run(job("count")))["runs"] == first["runs"] + 1

    def test_does_not_keep_them_alive(self) -> None:
        before = descendants()
        pool = RunnerPool(spares=1)
        result(pool.run(job("count")))
        children = descendants() - before
        pid = os.fork()
        if pid == 0:
            signal.pause()
        pool.close()
        gone = until(lambda: not any(is_alive(child) for child in children))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

        assert gone


def _use(pool: RunnerPool) -> None:
    assert result(pool.run(job("count")))["runs"] == 1
    pool.close()


class TestAClosedPool:
    def test_leaves_nothing_running(self) -> None:
        before = descendants()
        pool = RunnerPool(spares=2)
        result(pool.run(job("echo")))
        assert len(descendants() - before) >= 3

        pool.close()

        assert descendants() == before


class TestAnEndThatIsInterrupted:
    def test_closes_nothing_of_others_when_it_is_tried_again(self) -> None:
        """A number that was closed is given to the next file: the connection to the database, if it is opened then."""
        process = RunnerProcess(Limits())
        keeper = psutil.Process(process._process.pid)
        keeper.suspend()
        with pytest.raises(Interrupted), interrupted_after(0.2):
            process.end()

        opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
        keeper.resume()
        process.close()

        for file in opened:
            os.close(file)


class Interrupted(Exception): ...


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)
