"""One child process of the execution plane, as the engine holds it: start, bind to code, look after, end.

The child is started through a keeper (`orchestrator/runner/keeper.py`). The keeper holds one end of a pipe,
the lifeline; closing our end, or dying, ends the child and everything it started.
"""

import contextlib
import fcntl
import json
import logging
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.runner import folders, wire
from orchestrator.runner.egress import places_of
from orchestrator.runner.jobs import Job, Limits

logger = logging.getLogger(__name__)

WALLS = ("namespaces", "landlock", "seccomp")
LOG_CHARACTERS = 65_536
_SCRIPT = Path(__file__).resolve().parents[2] / "runner" / "child.py"
_START_SECONDS = 20.0
_END_SECONDS = 30.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


class StartFailed(Exception):
    """No child could be started or bound to the code. Nothing of the handler has run."""


class RunnerProcess:
    """A child and its keeper. One owner at a time."""

    def __init__(self, limits: Limits, walls: tuple[str, ...] = WALLS) -> None:
        """Start the child; it gets ready while the caller does something else. Raises StartFailed."""
        self.pid, self.level, self.walls = 0, 0, list[str]()
        self._limits = limits
        self._code: int | None = None
        self._watched: list[int] = []
        self._directory = tempfile.mkdtemp(prefix="holdpoint-runner-")
        # The child's own user must reach its folder, but not list its neighbours.
        os.chmod(self._directory, 0o711)
        self._log = _memory_file()
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        self.channel = wire.Channel(ours)
        self._idle = select.poll()
        self._idle.register(self.channel, select.POLLIN | select.POLLHUP)
        config = {"socket": theirs.fileno(), "lifeline": lifeline, "directory": self._directory}
        config |= {"allowed": walls, "limits": limits.of_process(), "disk_bytes": limits.disk_bytes}
        try:
            self._process = _start(config, self._log)
        except OSError as error:
            self._let_go()
            raise StartFailed(str(error)) from error
        finally:
            theirs.close()
            os.close(lifeline)

    def bind(self, job: Job) -> None:
        """Give the child its code, environment and network, for good. Raises StartFailed when it is gone."""
        deadline = time.monotonic() + _START_SECONDS
        try:
            self.pid = self._expect("hello", deadline)["pid"]
            code = _write_code(job.code, f"{self._directory}/code")
            bind = {"type": "bind", "code": code, "env": dict(job.env), "ports": job.granted_ports()}
            bind["egress"] = places_of(job.egress)
            self.channel.send(bind, deadline=deadline)
            bound = self._expect("bound", deadline)
            self.level, self.walls = bound["level"], bound["walls"]
            # A kernel that does not list children leaves this empty: no run counts as tidy, none is reused.
            with contextlib.suppress(FileNotFoundError):
                self._watched = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in self._proc_files()]
        except (wire.Closed, wire.Garbled, wire.Overdue, OSError) as error:
            self.end()
            why = f"{type(error).__name__}: {error}. {self.read_log()}".strip()
            self.close()
            raise StartFailed(why) from error

    def is_silent(self) -> bool:
        """An idle child has nothing to say: one that does, or has gone, must not be asked again."""
        return not self._idle.poll(0)

    def is_tidy(self) -> bool:
        """Whether the last run left nothing behind: no second thread, no process, no mountain of memory."""
        try:
            status, children, kept = (os.pread(file, 4096, 0) for file in self._watched)
        except (OSError, ValueError):
            return False
        fields = status.rpartition(b") ")[2].split()
        threads, memory = int(fields[17]), int(fields[21]) * _PAGE
        return (
            threads == 1
            and memory < self._limits.memory_bytes // 2
            and not children
            and kept.split() == [b"%d" % self.pid]
        )

    def read_log(self) -> str:
        """What was written to standard output and error since the last call."""
        size = os.fstat(self._log).st_size
        if size == 0:
            return ""
        half = LOG_CHARACTERS // 2
        text = os.pread(self._log, half, 0)
        if size > LOG_CHARACTERS:
            text += f"\n[... {size - LOG_CHARACTERS:,} bytes left out ...]\n".encode()
        text += os.pread(self._log, half, max(half, size - half))
        os.ftruncate(self._log, 0)
        return wire.clean(text.decode(errors="replace"), 2 * LOG_CHARACTERS)

    def end(self) -> int:
        """Kill the child and all it started. Returns its exit code, when nothing of it is left."""
        if self._code is None:
            self._hang_up()
            code = _wait(self._process)
            self._code = code if code >= 0 else 128 - code
            if code < 0:
                _clear_up_after_the_keeper(self._directory)
        return self._code

    def close(self) -> None:
        """End it, and give back what it still occupies here: its log and what we watched it by."""
        self.end()
        files = [self._log, *self._watched]
        self._log, self._watched = -1, []
        for file in files:
            if file >= 0:
                os.close(file)

    def abandon(self) -> None:
        """In a process forked from the owner: let go, so that the owner alone decides when the child ends."""
        self._process.returncode = 0  # not ours to wait for
        self._code = 0
        self._hang_up()
        self.close()

    def _let_go(self) -> None:
        """Undo a start that came to nothing."""
        self._code = 1
        self._hang_up()
        os.rmdir(self._directory)
        self.close()

    def _hang_up(self) -> None:
        """Close our ends, once: whoever was interrupted tries again, and the number may be a database's connection by then."""
        self.channel.close()
        lifeline, self._lifeline = self._lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)

    def _expect(self, kind: str, deadline: float) -> dict[str, Any]:
        header, _ = self.channel.receive(deadline=deadline)
        if header.get("type") != kind:
            raise wire.Garbled(f"{header.get('type')!r} where {kind!r} was due")
        return header

    def _proc_files(self) -> tuple[str, str, str]:
        keeper = self._process.pid
        return (
            f"/proc/{self.pid}/stat",
            f"/proc/{self.pid}/task/{self.pid}/children",
            f"/proc/{keeper}/task/{keeper}/children",
        )


def _memory_file() -> int:
    """For the log: never blocks whoever writes, survives the writer, and vanishes with us."""
    file = os.memfd_create("handler-log")
    fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
    return file


def _start(config: dict[str, Any], log: int) -> subprocess.Popen[bytes]:
    """The interpreter without site-packages, in an empty environment but for a fixed order of sets.

    Were it not fixed, a handler that iterates over a set would propose its calls in another order next time.
    """
    interpreter = getattr(sys, "_base_executable", sys.executable)
    return subprocess.Popen(
        [interpreter, "-s", "-S", "-P", "-X", "utf8", str(_SCRIPT), json.dumps(config)],
        env={"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        pass_fds=(config["socket"], config["lifeline"]),
        start_new_session=True,
        cwd="/",
    )


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The keeper's exit code. It ends once all is cleared up; if it does not, it is killed with the child."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return process.wait()
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    if not poller.poll(_END_SECONDS * 1000):
        logger.error("The keeper %d of a runner did not end; processes of a handler may be left.", process.pid)
        process.kill()
    os.close(handle)
    return process.wait()


def _clear_up_after_the_keeper(directory: str) -> None:
    """It was killed, and could not do it."""
    with contextlib.suppress(OSError):
        folders.remove(directory)


def _write_code(files: Mapping[str, str], target: str) -> str:
    """The files of a release where the child's user can read them, and nothing else."""
    os.mkdir(target, 0o755)
    for name, text in files.items():
        path = os.path.join(target, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # As it was read: no system's own encoding, and no other line ends.
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for folder, _, inside in os.walk(target):
        # Whatever the umask of the worker.
        os.chmod(folder, 0o755)
        for name in inside:
            os.chmod(os.path.join(folder, name), 0o644)
    return target
