"""The walls between a handler and the machine. Every one that this system allows is put up, and reported.

Level 0 always holds: empty environment, own session, limits, no new privileges, a private folder, death with
the keeper. Level 1 adds Landlock and seccomp. Level 2 adds process and mount namespaces: nothing a handler
starts can outlive the child, and its folder is a memory disk of limited size.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

from orchestrator.runner import kernel, landlock, seccomp

# Above every range that systemd, container engines and distributions hand out. One user per child: limits
# count for it alone, and "everything of this user" is exactly what it left behind.
FIRST_UID = 0x7000_0000
NOBODY = 65534
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/etc/resolv.conf", "/etc/localtime")
_DEVICES_READ = ("/dev/zero", "/dev/random", "/dev/urandom")
_LEVEL_1 = {"landlock-files", "seccomp"}
_LEVEL_2 = _LEVEL_1 | {"process-namespace", "mount-namespace"}


def level(walls: list[str]) -> int:
    """How far up the ladder these walls reach."""
    return sum(needed.issubset(walls) for needed in (_LEVEL_1, _LEVEL_2))


def own_uid(keeper: int) -> int:
    """The user id only this keeper's child uses. Process ids are unique while the process lives."""
    return FIRST_UID + keeper


def separate(directory: str, disk_bytes: int) -> list[str]:
    """Run in the keeper: new namespaces for what it forks next, and a memory disk as the working folder."""
    work = f"{directory}/work"
    os.mkdir(work, 0o700)
    root = os.geteuid() == 0
    try:
        _new_namespaces(user=not root)
    except OSError:
        return []
    walls = ["process-namespace"]
    try:
        kernel.mount_tmpfs(work, f"size={disk_bytes},nr_inodes=4096,mode=0700")
    except OSError:
        return walls
    return [*walls, "mount-namespace"]


def _new_namespaces(*, user: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    flags = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC
    kernel.unshare(flags | (kernel.CLONE_NEWUSER if user else 0))
    if user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)


class Confinement:
    """What the child does to itself: at once lose its privileges, later close in on one release's code."""

    def __init__(self, directory: str, keeper: int, limits: dict[str, int]) -> None:
        self.work = f"{directory}/work"
        self._directory = directory
        self._keeper = keeper
        self._limits = limits
        self._library = [path for path in sys.path if os.path.isdir(path)]
        self._library_fds = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in self._library]

    def lose_privileges(self) -> list[str]:
        """Become nobody in particular, with nothing inherited but limits. Irreversible."""
        os.umask(0o077)
        os.environ.clear()
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("900")  # when memory runs out, a handler goes before anybody else
        walls = self._change_user() if os.geteuid() == 0 else []
        kernel.drop_capabilities()
        kernel.forbid_new_privileges()
        self._limit(_most_processes(self._limits["RLIMIT_NPROC"], alone="own-user" in walls))
        kernel.die_with_parent(signal.SIGKILL)
        os.chdir(self.work)
        self._keep_library_readable()
        return walls

    def close_in(
        self, env: dict[str, str], ports: list[int] | None, allowed: list[str], *, programs: bool
    ) -> list[str]:
        """Leave only the code, the interpreter, the working folder, the granted ports, perhaps programs. Irreversible."""
        os.environ.update({"HOME": self.work, "TMPDIR": self.work, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"} | env)
        walls: list[str] = []
        if "landlock" in allowed:
            readable = [*self._library_fds, *_opened(f"{self._directory}/code", *_SYSTEM, *_DEVICES_READ)]
            walls += landlock.restrict(readable, _opened(self.work, "/dev/null"), ports)
        return walls + (seccomp.restrict(networks=ports != [], programs=programs) if "seccomp" in allowed else [])

    def _change_user(self) -> list[str]:
        for uid, name in ((own_uid(self._keeper), "own-user"), (NOBODY, "nobody")):
            try:
                os.chown(self.work, uid, uid)
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            except OSError:
                continue
            return [name]
        return []

    def _limit(self, processes: int) -> None:
        limits = {resource.RLIMIT_CORE: 0} | {getattr(resource, name): top for name, top in self._limits.items()}
        limits[resource.RLIMIT_NPROC] = processes
        for which, top in limits.items():
            hard = resource.getrlimit(which)[1]
            most = top if hard == resource.RLIM_INFINITY else min(top, hard)
            resource.setrlimit(which, (most, most))

    def _keep_library_readable(self) -> None:
        """An interpreter installed in somebody's home is out of reach now; its open folders are not."""
        if all(os.access(path, os.R_OK | os.X_OK) for path in self._library):
            return
        moved = {path: f"/proc/self/fd/{fd}" for path, fd in zip(self._library, self._library_fds, strict=True)}
        sys.path[:] = [moved.get(path, path) for path in sys.path]
        sys.path_importer_cache.clear()
        for module in list(sys.modules.values()):
            if hasattr(module, "__path__"):
                module.__path__ = [_moved(path, moved) for path in module.__path__]


def _most_processes(allowed: int, *, alone: bool) -> int:
    """The kernel counts all processes of a user. One shared with the engine must leave room for its innocents."""
    return allowed if alone else _tasks_of(os.geteuid()) + 4 * allowed


def _tasks_of(uid: int) -> int:
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == uid:
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def _moved(path: str, moved: dict[str, str]) -> str:
    for old, new in moved.items():
        if path.startswith(f"{old}/"):
            return new + path[len(old) :]
    return path


def _opened(*paths: str) -> list[int]:
    """Descriptors of those that exist; links are followed, as their targets may lie outside these folders."""
    found: list[int] = []
    for path in paths:
        try:
            found.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        except OSError:
            continue
    return found
