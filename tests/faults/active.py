"""What stands behind the failpoints while a test breaks the system. Installed by the harness, in processes it owns.

A fault is (point, hit, action): at the n-th time this process passes that point, it dies, or its database goes away, or
it stands still. Faults at `*` are a relay: each comes n places after the one before, whichever that is. Around every
outermost transaction three points are found by patching Django's own `Atomic`:
`atomic.<function>.begun` before its first statement, `.full` before COMMIT, `.committed` after it, before anybody knows.
"""

import os
import random
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic

from audit import failpoints
from orchestrator.engine import together
from orchestrator.engine.runners import workshop

OURS = ("orchestrator.", "approvals.", "budgets.", "audit.")


@dataclass(frozen=True, slots=True)
class Fault:
    """At the `hit`-th passing of `point`, `action` happens. Written `point:hit:action`."""

    point: str
    hit: int
    action: str

    def __str__(self) -> str:
        return f"{self.point}:{self.hit}:{self.action}"

    @classmethod
    def read(cls, text: str) -> "Fault":
        point, hit, action = text.split(":")
        return cls(point, int(hit), action)


# --- What can happen -------------------------------------------------------------------------------------------


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_group() -> None:
    """This process and everything it started that stayed in its group."""
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _fail() -> None:
    """The database says an error. After COMMIT: it committed, and the caller is told that it did not."""
    raise OperationalError("injected: the database answered with an error")


def _drop() -> None:
    """The network goes away under the connections of this process; they find out at their next statement."""
    for line in _lines():
        with suppress(OSError):
            socket.socket(fileno=os.dup(line.pgconn.socket)).shutdown(socket.SHUT_RDWR)


def _terminate() -> None:
    """An administrator, or a fail-over, ends the sessions of this process on the server."""
    pids = [line.info.backend_pid for line in _lines()]
    with _another_session() as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])


def _stand_still() -> None:
    """SIGSTOP: no code path notices. The driver lets time pass meanwhile, and continues it."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _oversleep() -> None:
    """Everything that has a time limit is over it now, for the database's clock, and nobody has cleaned up yet."""
    with _another_session() as other, suppress(psycopg.errors.LockNotAvailable):
        other.execute("SET lock_timeout = '100ms'")
        other.execute(PAST_EVERY_LEASE)


def runners() -> list[int]:
    """The handler processes this one has, at work or waiting."""
    lent_or_idle = [runner for pool in workshop._pool for runner in [*pool._lent, *pool._idle]]
    return [runner.process.pid for runner in lent_or_idle if Path(f"/proc/{runner.process.pid}").exists()]


def _kill_runners() -> None:
    for pid in runners():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": _kill,
    "kill_group": _kill_group,
    "kill_runner": _kill_runners,
    "kill_tool": _stand_still,
    "fail": _fail,
    "drop": _drop,
    "terminate": _terminate,
    "stop": _stand_still,
    "oversleep": _oversleep,
    "restart": _stand_still,
}
# After these nothing more is heard of the process; the driver lets time pass, and starts the next one.
DEADLY = {"kill", "kill_group"}
# All that are a `kill -9`: of this process, of its handler's, of the system outside.
DEATHS = DEADLY | {"kill_runner", "kill_tool"}
PAST_EVERY_LEASE = (
    "UPDATE orchestrator_attempt SET lease_expires_at = clock_timestamp() - interval '1 second' "
    "WHERE status = 'running'"
)


def _lines() -> list[psycopg.Connection[Any]]:
    """The sessions of this thread and the one that settles."""
    wrappers: list[BaseDatabaseWrapper] = [connection, *together._line]
    return [line for wrapper in wrappers if (line := wrapper.connection) is not None and not line.closed]


def _another_session() -> psycopg.Connection[Any]:
    params = connection.get_connection_params()
    known = {name: params[name] for name in ("dbname", "user", "password", "host", "port") if params.get(name)}
    return psycopg.connect(**known, autocommit=True)


# --- Passing a point ---------------------------------------------------------------------------------------------


class Passing:
    """Counts, writes down, and breaks. One per process."""

    def __init__(self, faults: list[Fault], tell: Callable[[str], None]) -> None:
        self._faults = {(fault.point, fault.hit): fault for fault in faults if fault.point != "*"}
        self._relay = [fault for fault in faults if fault.point == "*"]
        self._since = 0
        self._tell = tell
        self._hits: Counter[str] = Counter()
        self._one_at_a_time = threading.Lock()

    def __call__(self, point: str) -> None:
        with self._one_at_a_time:
            self._hits[point] += 1
            hit = self._hits[point]
            fault = self._faults.get((point, hit)) or self._next_of_the_relay()
        self._tell(f"passed {point} {hit}")
        if fault is not None:
            self._tell(f"at {point}")
            self._tell(f"fired {fault}")
            ACTIONS[fault.action]()

    def _next_of_the_relay(self) -> Fault | None:
        """A fault that needs somebody to kill waits until there is one."""
        self._since += 1
        if not self._relay or self._since < self._relay[0].hit:
            return None
        if self._relay[0].action == "kill_runner" and not runners():
            return None
        self._since = 0
        return self._relay.pop(0)


class Chance:
    """Two-level activation: a quarter of the points is dangerous in this process, and some of their hits fire.

    The process's own number is part of the dice, or all would die in one place. Nothing fires any more once `calm` exists.
    """

    def __init__(self, seed: str, actions: list[str], odds: float, calm: Path, tell: Callable[[str], None]) -> None:
        self._seed, self._actions, self._odds, self._calm, self._tell = seed, actions, odds, calm, tell

    def __call__(self, point: str) -> None:
        # django-q2 forks after this was installed, so the number is asked each time.
        dangerous = random.Random(f"{self._seed} {os.getpid()} {point}").random() < 0.25
        if dangerous and random.random() < self._odds and not self._calm.exists():
            action = random.choice(self._actions)
            self._tell(f"{point} {action}")
            ACTIONS[action]()


def install(what: Callable[[str], None]) -> None:
    """Put it behind every point of this process. Only under the test package's settings."""
    if getattr(settings, "UNDER_TEST", False) is not True:
        raise RuntimeError("Failpoints are installed by tests only.")
    failpoints.hit = what
    Atomic.__enter__ = _entering  # type: ignore[method-assign]
    Atomic.__exit__ = _leaving  # type: ignore[method-assign]


def uninstall() -> None:
    """Nothing happens anywhere, as in production."""
    failpoints.hit = failpoints._nothing
    Atomic.__enter__ = _enter  # type: ignore[method-assign]
    Atomic.__exit__ = _exit  # type: ignore[method-assign]


_enter, _exit = Atomic.__enter__, Atomic.__exit__


def _entering(self: Atomic) -> None:
    line: Any = connections["default"]
    name = "" if line.in_atomic_block else _whose()
    if name:
        failpoints.hit(f"atomic.{name}.begun")
    _enter(self)
    if name:
        line.edge = name


def _leaving(self: Atomic, kind: Any, error: Any, trace: Any) -> None:
    line: Any = connections["default"]
    # The object of a decorator serves every thread and depth, so the name is kept with the connection.
    name = "" if line.savepoint_ids else getattr(line, "edge", "")
    if name:
        line.edge = ""
    if not name or kind is not None:
        _exit(self, kind, error, trace)
        return
    try:
        failpoints.hit(f"atomic.{name}.full")
    except BaseException as failure:
        _exit(self, type(failure), failure, failure.__traceback__)
        raise
    _exit(self, kind, error, trace)
    failpoints.hit(f"atomic.{name}.committed")


def _whose() -> str:
    """The function of ours that opened this transaction: decorated, or around the `with`."""
    frame = sys._getframe(2)
    decorated = frame.f_locals.get("func") if frame.f_code.co_name == "inner" else None
    if decorated is not None:
        module, name = decorated.__module__, decorated.__qualname__
    else:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_qualname
    return f"{module.rpartition('.')[2]}.{name}" if module.startswith(OURS) else ""
