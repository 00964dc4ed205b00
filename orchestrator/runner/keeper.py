"""The keeper: stands between the engine and one child, and sees to it that nothing of the child survives.

It runs no foreign code and keeps the user the engine has, so a handler (another user, or behind Landlock)
cannot touch it. It ends everything when the engine closes the lifeline or dies, and when the child dies; its
exit code is the child's.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import time

from orchestrator.runner import kernel, sandbox, servant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TICK_MS = 1000


def main(config: dict[str, Any]) -> None:
    """Fork the child, watch it, clear up, and exit as it did."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    kernel.become_subreaper()
    directory, engine = config["directory"], os.getppid()
    config["keeper"] = os.getpid()
    walls = _separate(config)
    child = os.fork()
    if child == 0:
        _be_the_child(config, walls)
    os.close(config["socket"])
    mounted = "mount-namespace" in walls
    _watch(child, config["lifeline"], engine, lambda: not mounted and _used(directory) > config["disk_bytes"])
    code = _end(child, sweep_user="process-namespace" not in walls and os.geteuid() == 0)
    _remove(directory, mounted=mounted)
    os._exit(code)


def _separate(config: dict[str, Any]) -> list[str]:
    if "namespaces" in config["allowed"]:
        return sandbox.separate(config["directory"], config["disk_bytes"])
    os.mkdir(f"{config['directory']}/work", 0o700)
    return []


def _be_the_child(config: dict[str, Any], walls: list[str]) -> None:
    try:
        servant.main(config, walls)
    finally:
        os._exit(70)


def _watch(child: int, lifeline: int, engine: int, fills_the_disk: Callable[[], bool]) -> None:
    """Return when the child has to go: the engine let go or died, the child died, or it fills the disk."""
    poller, tick = select.poll(), _TICK_MS
    poller.register(lifeline, select.POLLIN | select.POLLHUP)
    try:
        poller.register(os.pidfd_open(child), select.POLLIN)
    except OSError:
        tick = 20
    while not poller.poll(tick):
        if os.getppid() != engine or _is_dead(child) or fills_the_disk():
            return


def _is_dead(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _used(folder: str) -> int:
    """Bytes below a folder; what vanishes or hides while we look counts as nothing."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{path}/{name}").st_blocks * 512
            except OSError:
                continue
    return total


def _end(child: int, *, sweep_user: bool) -> int:
    """Kill until no descendant is left. Returns what a shell would call the child's exit code.

    With a process namespace the kernel kills all descendants with the child (and lets us fork no more).
    """
    codes: dict[int, int] = {}
    uid = sandbox.own_uid(os.getpid())
    while True:
        for pid in {child, *_children()} - codes.keys():
            _kill(pid)
        if sweep_user:
            _kill_user(uid)
        if not _reap(codes):
            return codes.get(child, 0)
        time.sleep(0.0005)


def _reap(codes: dict[int, int]) -> bool:
    """Collect the dead; whether any child is still alive."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        code = os.waitstatus_to_exitcode(status)
        codes[pid] = code if code >= 0 else 128 - code


def _kill_user(uid: int) -> None:
    """Kill all processes of the child's own user in one call, which a fork bomb cannot outrun."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            # As root the next line would end the machine: it must be certain that we are somebody else.
            if os.getresuid() == (uid, uid, uid) and uid > sandbox.FIRST_UID:
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _children() -> list[int]:
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _remove(directory: str, *, mounted: bool) -> None:
    if mounted:
        try:
            kernel.unmount(f"{directory}/work")
        except OSError:
            return
    shutil.rmtree(directory, onerror=_insist)


def _insist(function: Any, path: str, _: object) -> None:
    """A handler may have locked a folder of its own; unlock it and try once more."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
    except OSError:
        return
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        function(path)
