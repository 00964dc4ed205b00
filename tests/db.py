"""One real PostgreSQL per pytest session: no SQLite, no mock, no server to install.

Loaded with `-p tests.db`, so that VAR_DIR and DATABASE_URL stand before pytest-django reads the settings: a
test never touches what `make run` keeps. The servers live below var/tests and stay there, so that the next
session starts one in a fraction of a second. Sessions that run at the same time take different ones.

Under `--durable` (what `make chaos` uses) the server has production's settings; otherwise a power cut may
cost it everything, which no ordinary test notices.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO

import psycopg
import pytest

from config import env, postgres, postgres_root
from config.postgres import Server

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE / "var" / "tests"
SLOT = pytest.StashKey[IO[str]]()
# Python is started a hundred times and more (workers, sites, examples): what it compiled once is kept, whatever a container
# says that wants to stay small.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
SUPERUSERS_OWN = ["session_replication_role", "deadlock_timeout"]
# Transactions of the server that migrated mean nothing on another.
NOW = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
FOLLOWED_FROM_HERE_ON = (
    f"UPDATE public.orchestrator_costfold SET (runs_before, levels_before, totals_before) = ({NOW}, {NOW}, {NOW})"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--durable`, and what the trials of tests/faults ask for."""
    parser.addoption("--durable", action="store_true", help="test against a PostgreSQL that survives a crash")
    parser.addoption("--trial", action="append", default=[], help="repeat this trial of tests/chaos/test_failpoints.py")
    parser.addoption("--seconds", type=float, default=60, help="how long to go on drawing trials")
    parser.addoption("--seed", default="", help="where the drawing of trials begins; the default is the time")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Decide which server this session talks to. It starts when the first test needs it."""
    # Each worker of a session that runs in parallel has a server of its own, too: some tests crash theirs.
    slot, early_config.stash[SLOT] = _take_free_slot()
    Server(slot).stop()  # left running by a session that was killed, perhaps with other settings
    os.environ["VAR_DIR"], os.environ["DATABASE_URL"] = str(slot), Server(slot).dsn()
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server with the session that took it."""
    if SLOT in config.stash:
        Server(env.var_dir()).stop()
        config.stash[SLOT].close()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Server:
    """The running server: `.dsn(database)` is for other processes, `.restart_immediate()` crashes it."""
    durability = postgres.DURABLE if pytestconfig.option.durable else postgres.FORGETFUL
    server = Server(env.var_dir(), durability)
    server.ensure_running()
    _let_us_set_what_superusers_do(server)
    return server


def _let_us_set_what_superusers_do(server: Server) -> None:
    """Let our role leave triggers out for a transaction, and say when a deadlock is looked for, which only a superuser may,
    and ours cannot sign in.

    Nothing of the product asks for it: tests empty tables that refuse it, and put rows back (tests/kept.py).
    """
    with psycopg.connect(server.dsn("postgres")) as door:
        asked = door.execute(
            "SELECT bool_and(has_parameter_privilege(name, 'SET')) FROM unnest(%s::text[]) AS name", [SUPERUSERS_OWN]
        ).fetchone()
    if asked != (True,):
        server.stop()
        grant = f"GRANT SET ON PARAMETER {', '.join(SUPERUSERS_OWN)} TO {postgres.NAME};\n\n"
        server._run("postgres", "--single", "-j", "-D", str(server.data), "template1", script=grant)
        server.ensure_running()


@pytest.fixture(scope="session")
def migrated(postgres_server: Server) -> str:
    """The name of a database that all migrations were applied to, to be copied: one for each state of the code.

    Migrating takes a minute of a busy machine. It is done once, whatever the number of servers: the others read what it gave.
    """
    name = f"migrated_{_state_of_the_code()}"
    with psycopg.connect(postgres_server.dsn("postgres"), autocommit=True) as door:
        made = [row[0] for row in door.execute("SELECT datname FROM pg_database WHERE datname ^@ 'migrated_'")]
        if name not in made:
            for old in made:
                door.execute(f'DROP DATABASE "{old}" WITH (FORCE)')
            door.execute("CREATE DATABASE migrated_half")
            _fill(postgres_server.dsn("migrated_half"), ROOT / f"{name}.sql")
            # Whoever is killed before this leaves nothing that is taken for whole.
            door.execute(f'ALTER DATABASE migrated_half RENAME TO "{name}"')
    return name


def _fill(dsn: str, dump: Path) -> None:
    """Migrate this empty database, or read what the first of several sessions to do so has written down."""
    with (ROOT / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if dump.exists():
            more = f"--command={FOLLOWED_FROM_HERE_ON}"
            _postgres("psql", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={dump}", more, dsn)
            return
        for old in ROOT.glob("migrated_*.sql*"):
            old.unlink()
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=HERE, env=os.environ | {"DATABASE_URL": dsn}, check=True)
        half = dump.with_suffix(".sql.half")
        _postgres("pg_dump", f"--file={half}", dsn)
        half.rename(dump)


def _postgres(program: str, *arguments: str) -> None:
    subprocess.run([postgres_root.programs() / program, *arguments], check=True, stdout=subprocess.DEVNULL)


def _state_of_the_code() -> str:
    """A migration may import whatever it likes, so any change of ours is another state."""
    digest = hashlib.sha256()
    folders = ("config", "audit", "budgets", "approvals", "orchestrator")
    for path in sorted(
        [HERE / "requirements.lock", *(path for folder in folders for path in (HERE / folder).rglob("*.py"))]
    ):
        digest.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _take_free_slot() -> tuple[Path, IO[str]]:
    """The first folder nobody uses; it is ours while the returned file is open, even if we are killed."""
    for number in count():
        slot = ROOT / str(number)
        (slot / "static").mkdir(parents=True, exist_ok=True)  # whitenoise warns when there is none
        lock = (slot / "session.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return slot, lock
    raise AssertionError("count() never ends")
