"""The keeper: stands between the engine and one child, and sees to it that nothing of the child survives.

It runs no foreign code and keeps the user the engine has, so a handler (another user, or behind Landlock)
cannot touch it. It ends everything when the engine closes the lifeline or dies, and when the child dies; its
exit code is the child's.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from orchestrator.runner import folders, kernel, sandbox, servant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TICK_MS = 1000
_DISK_TICK_MS = 200
_BLIND_TICK_MS = 20


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
    try:
        _watch(child, config["lifeline"], engine, None if mounted else (directory, config["disk_bytes"]))
    finally:
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


def _watch(child: int, lifeline: int, engine: int, quota: tuple[str, int] | None) -> None:
    """Return when the child has to go: the engine let go or died, the child died, or it fills the disk."""
    poller, tick = select.poll(), _DISK_TICK_MS if quota else _TICK_MS
    poller.register(lifeline, select.POLLIN | select.POLLHUP)
    try:
        poller.register(os.pidfd_open(child), select.POLLIN)
    except OSError:
        tick = _BLIND_TICK_MS
    while not poller.poll(tick):
        if os.getppid() != engine or _is_dead(child):
            return
        if quota and folders.size(quota[0]) > quota[1]:
            os.write(2, b"[ended: the working folder holds more than a run may write]\n")
            return


def _is_dead(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: int, *, sweep_user: bool) -> int:
    """Kill until no descendant is left. Returns what a shell would call the child's exit code.

    With a process namespace the kernel ends all descendants with the child (and lets us fork no more).
    """
    _signal(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while _has_children():
        if sweep_user:
            _kill_user(sandbox.own_uid(os.getpid()))
        _freeze_then_kill()
        time.sleep(0.0005)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _has_children() -> bool:
    """Collect the dead; whether any orphan of the child, now ours, is still alive."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


def _freeze_then_kill() -> None:
    """Who is stopped cannot fork. Killing at once would only make room for what a fork bomb still starts."""
    frozen: set[int] = set()
    while awake := _descendants() - frozen:
        for pid in awake:
            _signal(pid, signal.SIGSTOP)
        frozen |= awake
    for pid in frozen:
        _signal(pid, signal.SIGKILL)


def _descendants() -> set[int]:
    parents = {int(name): _parent(name) for name in os.listdir("/proc") if name.isdigit()}
    found: set[int] = set()
    more = {os.getpid()}
    while more:
        found |= more
        more = {pid for pid, parent in parents.items() if parent in found} - found
    return found - {os.getpid()}


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b") ")[2].split()[1])
    except (OSError, IndexError):
        return 0


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


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _remove(directory: str, *, mounted: bool) -> None:
    """Where a handler wrote to the real disk this may take a while, and nobody should wait for it."""
    try:
        if mounted:
            kernel.unmount(f"{directory}/work")
        elif os.fork():
            return
        folders.remove(directory)
    except OSError as error:
        os.write(2, f"[left behind: {error}]\n".encode())
