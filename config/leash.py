"""Stops what `make run` started, last things first, once the supervisor lets go of the pipe.

It lets go when it is asked to stop, and also when it is killed: either way the same code cleans up, and
nothing stays. (A parent-death signal would do that on Linux only, and would not reach grandchildren.)

    python -m config.leash      reads process numbers from standard input, one per line
"""

import sys
import time
from contextlib import suppress

import psutil

from config import env
from config.postgres import Server

GRACE_SECONDS = 20


def main() -> None:
    """Follow what is started until the pipe closes; then stop it all, the embedded database last."""
    started = [process for line in sys.stdin if (process := _find(int(line)))]
    for process in reversed(started):
        stop(process)
    if not env.text("DATABASE_URL", ""):
        Server(env.var_dir()).stop()


def stop(process: psutil.Process) -> None:
    """Ask one program to end; after a while kill it, and whatever it left behind in any case."""
    family = {process}
    deadline = time.monotonic() + GRACE_SECONDS
    with suppress(psutil.NoSuchProcess):
        process.terminate()
    while _alive(process) and time.monotonic() < deadline:
        # Asked again and again: a program that is stopping may still start something.
        family |= _descendants(process)
        time.sleep(0.05)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()


def _find(pid: int) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid)
    return None


def _descendants(process: psutil.Process) -> set[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return set(process.children(recursive=True))
    return set()


def _alive(process: psutil.Process) -> bool:
    """Whether it still runs. A zombie does not: it only waits for its parent to look."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


if __name__ == "__main__":
    main()
