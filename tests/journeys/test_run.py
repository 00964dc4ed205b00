"""`make run` as a stranger sees it: it answers, it heals, and it leaves nothing behind however it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from config.postgres import Server

ROOT = Path(__file__).resolve().parents[2]

# A site starts in ten seconds or, where three others test beside it on a slow machine, in a hundred.
pytestmark = pytest.mark.timeout(600)
PATIENCE_SECONDS = 180


class Site:
    """A site of its own: its own data, its own port."""

    def __init__(self, var_dir: Path) -> None:
        self.var_dir = var_dir
        self.supervisors: list[subprocess.Popen[str]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        environment |= {"VAR_DIR": str(self.var_dir), "PORT": str(self.port)}
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "config.run"], cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.supervisors.append(supervisor)
        return supervisor

    def clear(self) -> None:
        """End what a failed test left, so that the next one does not fail for its sake."""
        for supervisor in self.supervisors:
            if supervisor.poll() is None:
                supervisor.terminate()
                supervisor.communicate(timeout=PATIENCE_SECONDS)
        Server(self.var_dir).stop("immediate")

    def wait_until_ready(self, supervisor: "subprocess.Popen[str]") -> str:
        """What it said until it was ready."""
        assert supervisor.stdout is not None
        said = ""
        for line in supervisor.stdout:
            said += line
            if "Ctrl-C stops everything" in line:
                return said
        raise AssertionError(f"The site did not start:\n{said}")

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as response:
                return bool(response.status < 500)
        except OSError:
            return False

    def processes(self) -> list[str]:
        """Everything alive that belongs to this site."""
        return [" ".join(process.cmdline()) for process in psutil.process_iter() if self._owns(process)]

    def process_of(self, words: str) -> psutil.Process:
        """The first process of this site whose command line holds `words`."""
        return next(
            process for process in psutil.process_iter()
            if self._owns(process) and words in " ".join(process.cmdline())
        )  # fmt: skip

    def _owns(self, process: psutil.Process) -> bool:
        try:
            mine = process.environ().get("VAR_DIR") == str(self.var_dir)
            return process.status() != psutil.STATUS_ZOMBIE and (
                mine or str(self.var_dir) in " ".join(process.cmdline())
            )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


@pytest.fixture(scope="module")
def var_dir() -> Iterator[Path]:
    """One for all tests of this file: the first start finds nothing and makes everything, the others find what is there.
    Outside pytest's own folder, which is closed to the account that PostgreSQL gets when we are root."""
    var_dir = Path(tempfile.mkdtemp(prefix="holdpoint-run-"))
    var_dir.chmod(0o755)
    yield var_dir
    shutil.rmtree(var_dir)


@pytest.fixture
def site(var_dir: Path) -> Iterator[Site]:
    site = Site(var_dir)
    yield site
    site.clear()


class TestRun:
    @pytest.mark.slow
    def test_answers_then_heals_then_stops_on_ctrl_c_and_leaves_nothing(self, site: Site) -> None:
        supervisor = site.start()
        said = site.wait_until_ready(supervisor)
        assert f"http://localhost:{site.port}/" in said
        assert "reviewer" in said
        assert site.answers()

        refused, _ = site.start().communicate(timeout=PATIENCE_SECONDS)
        assert "already running" in refused  # twice with the same data

        site.process_of("manage.py worker").kill()
        site.process_of("config.wsgi").kill()
        Server(site.var_dir).stop("immediate")
        assert eventually(lambda: site.answers() and "manage.py worker" in "\n".join(site.processes()))

        supervisor.send_signal(signal.SIGINT)
        assert "Nothing is left running" in supervisor.communicate(timeout=PATIENCE_SECONDS)[0]
        assert supervisor.returncode == 0
        assert site.processes() == []

    @pytest.mark.slow
    def test_leaves_nothing_when_it_is_killed_and_keeps_its_data(self, site: Site) -> None:
        first = site.start()
        site.wait_until_ready(first)
        secret = (site.var_dir / "secret_key").read_text()
        first.kill()
        first.communicate()
        assert eventually(lambda: site.processes() == [])

        second = site.start()
        site.wait_until_ready(second)
        assert (site.var_dir / "secret_key").read_text() == secret
        second.terminate()
        second.communicate(timeout=PATIENCE_SECONDS)
        assert site.processes() == []

    @pytest.mark.slow
    @pytest.mark.parametrize("then", ["it is stopped", "something has to be started again"])
    def test_leaves_nothing_when_what_would_have_stopped_it_was_killed(self, site: Site, then: str) -> None:
        supervisor = site.start()
        site.wait_until_ready(supervisor)
        site.process_of("config.leash").kill()

        if then == "it is stopped":
            supervisor.send_signal(signal.SIGINT)
        else:
            site.process_of("servers/erp.py").kill()
        said = supervisor.communicate(timeout=PATIENCE_SECONDS)[0]

        assert ("Nothing is left running" if then == "it is stopped" else "so the site is stopped") in said
        assert eventually(lambda: site.processes() == [])

    def test_says_so_when_the_port_is_taken(self, site: Site) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", site.port))
            taken.listen()

            said, _ = site.start().communicate(timeout=PATIENCE_SECONDS)

        assert f"Port {site.port} is taken by another program" in said
        assert site.processes() == []
