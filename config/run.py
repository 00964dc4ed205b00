"""`make run`: the whole site on one machine, with all it needs. Ctrl-C stops it and leaves no process.

Starts the embedded PostgreSQL (unless DATABASE_URL is set), migrates, fills in the demo, then keeps running
the systems the examples talk to, the worker and the web server. What dies is started again. PORT and HOST are
honoured; an example's system is not started when its address (ERP_URL, say) is given.
"""

import errno
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil
from django.core.exceptions import ImproperlyConfigured

from config import env
from config.leash import Families, stop_all
from config.postgres import PostgresError, Server
from config.programs import Program, say

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 60
TICK_SECONDS = 0.5
GUNICORN = ("-m", "gunicorn", "--config", "python:config.gunicorn", "config.wsgi")

# The systems the examples talk to: name, variable with its address, program. They listen above our own port.
SYSTEMS = [
    ("erp", "ERP_URL", "examples/reconciliation/servers/erp.py"),
    ("ledger", "LEDGER_URL", "examples/reconciliation/servers/ledger_api.py"),
    ("crm", "CRM_URL", "examples/support_case_resolution/servers/crm.py"),
]


class Stopped(Exception):
    """Somebody asked us to stop."""


class CannotStart(Exception):
    """The site cannot be started; the message says why and what to do."""


def main() -> int:
    """Run the site until asked to stop; the exit code."""
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        with _only_one() as lock, _leash(lock) as follow:
            _run(follow)
    except Stopped:
        print("Stopped. Nothing is left running; the data stays in", env.var_dir())
        return 0
    except (CannotStart, ImproperlyConfigured, PostgresError) as problem:
        print(problem, file=sys.stderr)
    except OSError as problem:
        print(
            f"The site cannot keep its data: {problem}. {env.var_dir()} must be a folder of the user who starts it, on a disk "
            "with room; VAR_DIR names another.",
            file=sys.stderr,
        )
    return 1


def _run(follow: Callable[[int], None]) -> None:
    host, port = env.text("HOST", "127.0.0.1"), env.port("PORT", 8000)
    _refuse_unless_free(host, port)
    (env.var_dir() / "port").write_text(str(port))
    server = _database()
    systems, addresses = _systems(port)
    os.environ.update(addresses)
    logins = _prepare()
    programs = [*systems, _program("worker", "manage.py", "worker"), _program("web", *GUNICORN)]
    for program in programs:
        follow(program.start())
    _wait_for_answer(host, port, programs)
    _welcome(host, port, addresses, logins)
    while True:
        _tend(server, programs, follow)
        time.sleep(TICK_SECONDS)


def _database() -> Server | None:
    """The embedded server, running; nothing when there is another one to use."""
    if env.text("DATABASE_URL", ""):
        return None
    say("postgres", "starting the embedded PostgreSQL")
    server = Server(env.var_dir())
    server.ensure_running()
    return server


def _systems(port: int) -> tuple[list[Program], dict[str, str]]:
    """The examples' own systems, unless the environment says where they are; and where they will be."""
    programs, addresses = [], {}
    for offset, (name, variable, script) in enumerate(SYSTEMS, start=1):
        if env.text(variable, ""):
            continue
        at = _free_port_near(port + offset)
        addresses[variable] = f"http://127.0.0.1:{at}"
        books = env.var_dir() / "systems" / name
        programs.append(_program(name, script, "--port", str(at), "--books", str(books)))
    return programs, addresses


def _program(name: str, *arguments: str) -> Program:
    return Program(name, [sys.executable, *arguments], cwd=ROOT, log=env.var_dir() / "log" / f"{name}.log")


def _prepare() -> str:
    """Bring the database and the static files up to date; the demo's logins, to be shown at the end."""
    say("setup", "bringing the database up to date")
    _manage("migrate", "--verbosity=0")
    _manage("collectstatic", "--noinput", "--verbosity=0")
    return _manage("demo", "--costs")


def _manage(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, check=False, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True,
    )  # fmt: skip
    if done.returncode != 0:
        raise CannotStart(f"`manage.py {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _wait_for_answer(host: str, port: int, programs: list[Program]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _answers(host, port):
        for program in programs:
            if program.died() is not None:
                raise CannotStart(f"The program {program.name} ended at once; see above, or {program.log}.")
        if time.monotonic() > deadline:
            raise CannotStart(f"The site has not answered for {PATIENCE_SECONDS} s; see {env.var_dir() / 'log'}.")
        time.sleep(0.1)


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _welcome(host: str, port: int, addresses: dict[str, str], logins: str) -> None:
    name = "localhost" if host in {"127.0.0.1", "0.0.0.0"} else host
    print(f"\nHoldpoint is ready: http://{name}:{port}/\n")
    print(logins)
    for variable, address in addresses.items():
        print(f"  {variable:<12} {address}")
    print(f"  {'mail':<12} {_mail()}")
    print(f"\nCtrl-C stops everything. Data and logs: {env.var_dir()}\n", flush=True)


def _mail() -> str:
    """Where the messages to people go."""
    server = env.text("EMAIL_HOST", "")
    return f"through {server}" if server else f"{env.var_dir() / 'mail'} (one file a message; nothing is sent)"


def _tend(server: Server | None, programs: list[Program], follow: Callable[[int], None]) -> None:
    """Start again whatever died."""
    if server and not server.running():
        say("postgres", "is not running; starting it again")
        server.ensure_running()
    for program in programs:
        if (pid := program.revive()) is not None:
            follow(pid)


@contextmanager
def _only_one() -> Iterator[int]:
    """Two supervisors of the same data would fight. The descriptor that holds the lock."""
    env.var_dir().mkdir(parents=True, exist_ok=True)
    with (env.var_dir() / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = f"with the data in {env.var_dir()}"
            raise CannotStart(
                f"The site is already running {where}, or still stopping; try again in a moment."
            ) from None
        yield lock.fileno()


@contextmanager
def _leash(lock: int) -> Iterator[Callable[[int], None]]:
    """Tell each started process to `config.leash`, which ends them all when this block ends, or we do.

    It holds the lock as well: where we were killed, nobody starts anew before it has stopped what we left. Where it was
    killed, we do what it would have done.
    """
    command = [sys.executable, "-m", "config.leash"]
    leash = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, text=True, start_new_session=True, pass_fds=[lock]
    )
    assert leash.stdin is not None
    pipe = leash.stdin
    started: Families = {}

    def follow(pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            started[psutil.Process(pid)] = set()
        try:
            pipe.write(f"{pid}\n")
            pipe.flush()
        except BrokenPipeError:
            raise CannotStart(
                "What stops the site's programs was killed, so the site is stopped. Start it again."
            ) from None

    try:
        yield follow
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
        if leash.wait() != 0:
            stop_all(started)


def _stop(number: int, frame: FrameType | None) -> None:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    say("setup", "stopping")
    raise Stopped


def _refuse_unless_free(host: str, port: int) -> None:
    try:
        _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = port + 80 if port < 65_000 else port - 80
            raise CannotStart(
                f"Port {port} is taken by another program. Use another one: PORT={other} make run"
            ) from None
        raise CannotStart(
            f"Nothing can listen at {host}, port {port}: {error.strerror}. HOST is an IPv4 address of this machine, and a port "
            "below 1024 is for root: HOST=127.0.0.1 PORT=8080 make run"
        ) from None


def _bind(host: str, port: int) -> None:
    """Raises OSError where a server could not listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _free_port_near(port: int) -> int:
    """`port` if there is one and nobody has it, otherwise one the system chooses."""
    with suppress(OSError, OverflowError):
        _bind("127.0.0.1", port)
        return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
