"""One program of the site as the supervisor sees it: started, listened to, started again when it dies."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

WIDTH = 8
LARGEST_LOG = 10_000_000
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0


@dataclass
class Program:
    """A command that should always run. Its output goes to the terminal, line by line, and to a log."""

    name: str
    command: Sequence[str]
    cwd: Path
    log: Path
    process: subprocess.Popen[str] | None = None
    _started_at: float = 0.0
    _pause_seconds: float = 1.0
    _due_at: float | None = field(default=None)

    def start(self) -> int:
        """Start it in a session of its own, where Ctrl-C does not reach it: things stop in order."""
        self.process = subprocess.Popen(
            self.command, cwd=self.cwd, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self._started_at, self._due_at = time.monotonic(), None
        threading.Thread(target=self._relay, args=(self.process,), daemon=True).start()
        return self.process.pid

    def died(self) -> int | None:
        """The exit code once it has ended by itself, otherwise None."""
        return self.process.poll() if self.process else None

    def revive(self) -> int | None:
        """Start it again if it died, after a pause that doubles with every death; its new process number."""
        code, now = self.died(), time.monotonic()
        if code is None:
            return None
        if self._due_at is None:
            self._schedule(code, now)
        return self.start() if self._due_at is not None and now >= self._due_at else None

    def _schedule(self, code: int, now: float) -> None:
        if now - self._started_at > SETTLED_SECONDS:
            self._pause_seconds = 1.0
        self._due_at = now + self._pause_seconds
        say(self.name, f"ended with code {code}; starts again in {self._pause_seconds:g} s")
        self._pause_seconds = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _relay(self, process: subprocess.Popen[str]) -> None:
        """Until it ends, also where the log cannot be written: with nobody listening it would wait for ever at its next line."""
        assert process.stdout is not None
        for line in process.stdout:
            with suppress(OSError):
                self._keep(line)
            say(self.name, line.rstrip("\n"))

    def _keep(self, line: str) -> None:
        """Opened for each line, so that it is never longer than it may be, and a full disk keeps nothing back for later."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("a") as log:
            log.write(line)


def say(name: str, text: str) -> None:
    """One line on the terminal; a terminal that went away is no reason to stop."""
    try:
        sys.stdout.write(f"{name:<{WIDTH}} | {text}\n")
        sys.stdout.flush()
    except OSError:
        pass
