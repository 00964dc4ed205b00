"""What is compared: each system with its own Python, its own database, on one embedded PostgreSQL with fsync on."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from config.postgres import DURABLE, Server

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / "var" / "bench"
LONGEST_SECONDS = 900


class Broken(Exception):
    """A measured program failed; the message is what it said."""


@dataclass(frozen=True)
class System:
    """`script` is a program of this folder; `lock` the packages of its own environment, "" for ours."""

    name: str
    script: str
    lock: str = ""

    @property
    def python(self) -> Path:
        return HOME / self.name / "bin" / "python" if self.lock else Path(sys.executable)

    def install(self) -> None:
        """Make its virtual environment, again only when its lock changed."""
        if not self.lock:
            return
        mark, wanted = HOME / self.name / ".lock", (HERE / self.lock).read_text()
        if mark.is_file() and mark.read_text() == wanted:
            return
        print(f"Installing {self.name} ({self.lock}) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", HOME / self.name], check=True)
        pip = [self.python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", HERE / self.lock], check=True)
        mark.write_text(wanted)

    def measure(self, server: Server, verb: str, count: int = 0) -> dict[str, Any]:
        """Run one measurement in processes of its own; the figures it reports."""
        dsn = server.dsn(self.database)
        given = {"BENCH_DSN": dsn, "DATABASE_URL": dsn, "BENCH_POSTMASTER": str(_postmaster(server))}
        done = subprocess.run(
            [self.python, HERE / self.script, verb, str(count)], cwd=HERE.parent, check=False, text=True,
            capture_output=True, timeout=LONGEST_SECONDS,
            env={**os.environ, **given, "VAR_DIR": str(HOME), "WORKERS": "2", "LOG_LEVEL": "WARNING"},
        )  # fmt: skip
        if done.returncode != 0 or not done.stdout.strip():
            raise Broken(f"{self.name} {verb}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return figures

    @property
    def database(self) -> str:
        return f"bench_{self.name}"


OURS = System("ours", "ours.py")
DBOS = System("dbos", "peer_dbos.py", "dbos.lock")
LANGGRAPH = System("langgraph", "peer_langgraph.py", "langgraph.lock")


@contextmanager
def running_server() -> Iterator[Server]:
    """A server of the benchmark's own, with the settings `make run` has: nobody's data is touched. One run at a time."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Broken("Another benchmark is running here; two at a time measure each other.") from None
        server = Server(HOME, DURABLE)
        server.ensure_running()
        try:
            yield server
        finally:
            server.stop()


def recreate_database(server: Server, system: System) -> None:
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {system.database} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {system.database}")


def _postmaster(server: Server) -> int:
    return int((server.data / "postmaster.pid").read_text().splitlines()[0])
