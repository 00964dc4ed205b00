"""What the runner's tests share: jobs over `runner_code`, and a look at what is still alive."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from orchestrator.engine.runners.pool import Done, Failure, Job, Outcome

CODE = {path.name: path.read_text() for path in Path(__file__).parent.glob("runner_code/*.py")}
# The most this machine allows, the middle, and the least that always holds.
LADDER = (("namespaces", "landlock", "seccomp"), ("landlock", "seccomp"), ())
_marks = itertools.count(100_000 + os.getpid() * 1000)


def job(entry: str, given: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A job for a handler of `runner_code`: "module:function", or the bare function of handlers.py."""
    entry = entry if ":" in entry else f"handlers:{entry}"
    fields: dict[str, Any] = {"code": CODE, "kind": "tool", "trust_key": "release-1", "timeout_seconds": 10.0}
    return Job(entry=entry, input=given or {}, **(fields | changes))


def result(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Done), outcome
    return outcome.result


def failure(outcome: Outcome) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def mark() -> str:
    """An argument for /bin/sleep by which a stray process is recognised."""
    return str(next(_marks))


def sleeping(mark: str) -> list[int]:
    """The processes that still sleep under that mark."""
    return [one.pid for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", mark]]


def descendants() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that only waits to be collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it becomes true in time."""
    ends = time.monotonic() + seconds
    while not true():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
