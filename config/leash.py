"""Stops what `make run` started, last things first, once the supervisor lets go of the pipe.

It lets go when it is asked to stop, and also when it is killed: either way the same code cleans up, and
nothing stays. (A parent-death signal would do that on Linux only, and would not reach grandchildren.) What a
program leaves behind when it dies in between is ended too, before its successor does the same work twice.

    python -m config.leash      reads process numbers from standard input, one per line
"""

import os
import select
import sys
import time
from contextlib import suppress

import psutil

from config import env
from config.postgres import Server

GRACE_SECONDS = 20
LOOK_SECONDS = 2

Families = dict[psutil.Process, set[psutil.Process]]


def main() -> None:
    """Follow what is started until the pipe closes; then stop it all."""
    families: Families = {}
    while (pids := _read_pids()) is not None:
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                families[psutil.Process(pid)] = set()
        _look_after(families)
    stop_all(families)


def stop_all(families: Families) -> None:
    """What was started last first, the embedded database after everything."""
    for process, family in reversed(families.items()):
        stop(process, family)
    if not env.text("DATABASE_URL", ""):
        Server(env.var_dir()).stop()


def stop(process: psutil.Process, family: set[psutil.Process]) -> None:
    """Ask one program to end; after a while kill it, and whatever it left behind in any case."""
    deadline = time.monotonic() + GRACE_SECONDS
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    while _alive(process) and time.monotonic() < deadline:
        # Asked again and again: a program that is stopping may still start something.
        family |= _descendants(process)
        time.sleep(0.05)
    _kill({process} | family)


def _read_pids() -> list[int] | None:
    """What was started a moment ago; None once the pipe is closed. The supervisor writes whole lines."""
    if not select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
        return []
    lines = os.read(sys.stdin.fileno(), 65536)
    return [int(line) for line in lines.split()] or None


def _look_after(families: Families) -> None:
    """Remember who started whom: once a process is dead, nobody can tell."""
    for process, family in list(families.items()):
        if _alive(process):
            family.update(_descendants(process))
        else:
            _kill(families.pop(process))


def _descendants(process: psutil.Process) -> set[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return set(process.children(recursive=True))
    return set()


def _alive(process: psutil.Process) -> bool:
    """Whether it still runs. A zombie does not: it only waits for its parent to look."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    main()
