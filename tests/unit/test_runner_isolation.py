"""What a handler cannot reach: the database, secrets, other people's files, the network it was not granted.

What holds depends on the machine; a pool says which walls stand, and each of them has to keep its promise.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from orchestrator.engine.runners.pool import Limits, RunnerPool
from tests.unit.runner_world import LADDER, descendants, job, result

DENIED = {"EACCES", "EPERM", "ENOENT"}


@pytest.fixture(scope="module")
def pool() -> Iterator[RunnerPool]:
    pool = RunnerPool()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def walls(pool: RunnerPool) -> set[str]:
    return set(pool.isolation()[1])


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file only the engine's own user may read."""
    path = tmp_path / "secret"
    path.write_text("hunter2")
    path.chmod(0o600)
    return path


class TestTheLevel:
    def test_says_which_walls_stand(self) -> None:
        levels = {}
        for allowed in LADDER:
            with closing(RunnerPool(walls=allowed, spares=0)) as pool:
                levels[allowed] = pool.isolation()

        assert [level for level, _ in levels.values()] == sorted((level for level, _ in levels.values()), reverse=True)
        assert levels[()][0] == 0
        assert set(levels[()][1]) <= {"own-user", "nobody"}

    def test_is_never_claimed_without_the_walls_it_is_made_of(self, pool: RunnerPool) -> None:
        level, walls = pool.isolation()

        assert (level >= 1) == ({"landlock-files", "seccomp"} <= set(walls))
        assert (level >= 2) == (level >= 1 and {"process-namespace", "mount-namespace"} <= set(walls))


@pytest.mark.parametrize("allowed", LADDER, ids=["all walls", "no namespaces", "bare"])
class TestAtEveryLevel:
    def test_the_environment_holds_what_was_given_and_nothing_else(
        self, allowed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
        monkeypatch.setenv("PGHOST", "/somewhere")
        with closing(RunnerPool(walls=allowed, spares=0)) as pool:
            seen = result(pool.run(job("escapes:surroundings", {"limits": []}, env={"ERP_URL": "http://erp"})))

        assert seen["env"].keys() == {"ERP_URL", "HOME", "TMPDIR", "PATH", "LANG"}
        assert seen["env"]["HOME"] == seen["env"]["TMPDIR"] == seen["cwd"]
        assert seen["umask"] == 0o077
        assert seen["session"] is True

    def test_nothing_of_the_control_plane_is_imported_or_importable(self, allowed: tuple[str, ...]) -> None:
        names = ["django", "psycopg", "orchestrator.models", "orchestrator.engine", "audit", "config.settings"]
        with closing(RunnerPool(walls=allowed, spares=0)) as pool:
            seen = result(pool.run(job("escapes:surroundings", {"limits": []})))["modules"]
            tried = result(pool.run(job("escapes:imports", {"names": names})))

        assert {name for name in seen if name.startswith("orchestrator.")} <= {
            name for name in seen if name == "orchestrator.runner" or name.startswith("orchestrator.runner.")
        }
        assert tried == dict.fromkeys(names, "ModuleNotFoundError")

    def test_the_whole_standard_library_is(self, allowed: tuple[str, ...]) -> None:
        with closing(RunnerPool(walls=allowed, spares=0)) as pool:
            seen = result(pool.run(job("escapes:standard_library")))

        assert seen["names"] == ["csv", "decimal", "email.message", "sqlite3", "ssl", "zoneinfo"]
        assert seen["zone"] in ("Europe/Berlin", "None")

    def test_limits_are_set(self, allowed: tuple[str, ...]) -> None:
        limits = Limits(memory_bytes=300 << 20, open_files=99, cpu_seconds=77)
        with closing(RunnerPool(walls=allowed, spares=0, limits=limits)) as pool:
            given = {"limits": ["RLIMIT_AS", "RLIMIT_NOFILE", "RLIMIT_CPU", "RLIMIT_CORE"]}
            seen = result(pool.run(job("escapes:surroundings", given)))["limits"]

        assert seen == {
            "RLIMIT_AS": [300 << 20] * 2,
            "RLIMIT_NOFILE": [99] * 2,
            "RLIMIT_CPU": [77] * 2,
            "RLIMIT_CORE": [0, 0],
        }

    def test_privileges_are_gone_for_good(self, allowed: tuple[str, ...]) -> None:
        with closing(RunnerPool(walls=allowed, spares=1)) as pool:
            before = descendants()
            uids = result(pool.run(job("escapes:who")))
            tried = result(pool.run(job("escapes:become_root")))["outcome"]
            status = _status(next(iter(descendants() & before)))

        assert tried == "EPERM"
        assert uids["groups"] == [] or os.geteuid() != 0
        assert 0 not in uids["uids"]
        assert status["NoNewPrivs"] == "1"
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def _status(process: psutil.Process) -> dict[str, str]:
    """The kernel's page about the innermost process below (and including) this one."""
    inner = [process, *process.children(recursive=True)][-1]
    lines = Path(f"/proc/{inner.pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


class TestOtherUsers:
    def test_no_two_children_share_one_when_the_engine_is_root(self, pool: RunnerPool, walls: set[str]) -> None:
        uids = [result(pool.run(job("escapes:who", trust_key=key)))["uids"][0] for key in ("one", "two")]

        assert ("own-user" in walls) == (os.geteuid() == 0)
        assert (uids[0] != uids[1]) == ("own-user" in walls)

    def test_cannot_be_signalled(self, pool: RunnerPool, walls: set[str]) -> None:
        keepers = [process.pid for process in psutil.Process().children()]
        tried = result(pool.run(job("escapes:signal_others", {"pids": [os.getpid(), *keepers]})))

        guarded = walls & {"own-user", "process-namespace", "landlock-signals"}
        assert not guarded or set(tried.values()) <= {"EPERM", "ESRCH"}


class TestFiles:
    def test_of_the_engine_cannot_be_read(self, pool: RunnerPool, walls: set[str], secret: Path) -> None:
        paths = [str(secret), f"/proc/{os.getpid()}/environ", f"/proc/{os.getppid()}/environ"]
        tried = result(pool.run(job("escapes:read", {"paths": paths})))

        assert not walls & {"own-user", "landlock-files"} or set(tried.values()) <= DENIED

    def test_of_the_project_cannot_be_read_behind_landlock(self, pool: RunnerPool, walls: set[str]) -> None:
        paths = [__file__, str(Path(__file__).resolve().parents[2] / "config" / "settings.py")]
        tried = result(pool.run(job("escapes:read", {"paths": paths})))

        assert "landlock-files" not in walls or set(tried.values()) <= DENIED

    def test_can_be_written_nowhere_but_in_the_working_folder(
        self, pool: RunnerPool, walls: set[str], tmp_path: Path
    ) -> None:
        places = [tmp_path / "x", Path("/tmp/holdpoint-x"), Path("/dev/shm/holdpoint-x"), Path("../code/x.py")]
        tried = result(pool.run(job("escapes:write", {"paths": [str(place) for place in places]})))
        inside = result(pool.run(job("escapes:write", {"paths": ["inside"]})))

        assert "landlock-files" not in walls or set(tried.values()) <= DENIED
        assert inside == {"inside": "got 1"}


class TestTheDatabase:
    def test_socket_cannot_be_opened(self, pool: RunnerPool, walls: set[str], tmp_path: Path) -> None:
        folder = tmp_path / "run"
        folder.mkdir(mode=0o700)
        with closing(socket.socket(socket.AF_UNIX)) as server:
            server.bind(str(folder / ".s.PGSQL.5432"))
            server.listen()
            given = {"path": str(folder / ".s.PGSQL.5432")}
            tried = result(pool.run(job("escapes:connect_unix", given)))

        assert not walls & {"own-user", "seccomp"} or tried["outcome"] in DENIED

    def test_port_cannot_be_reached_unless_granted(self, pool: RunnerPool, walls: set[str]) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
            refused = result(pool.run(job("escapes:connect_tcp", {"port": port})))
            url = f"http://127.0.0.1:{port}/"
            granted = result(pool.run(job("escapes:connect_tcp", {"port": port}, env={"ERP_URL": url})))

        assert "landlock-ports" not in walls or refused["outcome"] == "EACCES"
        assert granted["outcome"] == "got 'connected'"

    def test_port_cannot_be_reached_by_a_way_that_landlock_does_not_see(
        self, pool: RunnerPool, walls: set[str]
    ) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            tried = result(pool.run(job("escapes:reach_by_other_ways", {"port": server.getsockname()[1]})))
            server.setblocking(False)
            arrived = _came(server)

        assert "seccomp" not in walls or set(tried.values()) == {"EPERM"}
        assert "seccomp" not in walls or not arrived

    def test_port_that_is_granted_is_reached_whatever_other_flags_stand_there(self, pool: RunnerPool) -> None:
        """Flags beside the type of a socket, and of what is sent, are no other type."""
        with closing(socket.create_server(("127.0.0.1", 0))) as server:
            port = server.getsockname()[1]
            given = result(
                pool.run(job("escapes:send_flagged", {"port": port}, env={"ERP_URL": f"http://127.0.0.1:{port}/"}))
            )

        assert given == {"outcome": "got 5"}

    def test_cannot_be_impersonated(self, pool: RunnerPool, walls: set[str]) -> None:
        tried = result(pool.run(job("escapes:listen")))

        assert "landlock-ports" not in walls or tried["outcome"] == "EACCES"


class TestTheKernel:
    def test_refuses_what_no_handler_needs(self, pool: RunnerPool, walls: set[str]) -> None:
        calls = {"io_uring_setup": 425, "open_tree": 428, "pidfd_getfd": 438}
        tried = result(pool.run(job("escapes:system_calls", {"calls": calls})))

        assert "seccomp" not in walls or tried == dict.fromkeys(calls, "EPERM")

    @pytest.mark.parametrize("allowed", LADDER[:2], ids=["all walls", "no namespaces"])
    def test_keeps_no_memory_of_a_handler_that_is_gone(self, allowed: tuple[str, ...]) -> None:
        with closing(RunnerPool(walls=allowed)) as pool:
            walls = set(pool.isolation()[1])
            tried = result(pool.run(job("escapes:leave_memory")))

        assert "seccomp" not in walls or tried == dict.fromkeys(["segment", "semaphore", "queue", "message"], "EPERM")


def _came(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True
