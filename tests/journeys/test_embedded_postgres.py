"""The embedded PostgreSQL: what it survives, and who gets in."""

import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config.postgres import FORGETFUL, PostgresError, Server

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of its own for one test."""
    server = Server(tmp_path / "it's a folder", FORGETFUL)
    yield server
    discard(server)


def one(server: Server, statement: str) -> object:
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0]


class TestServer:
    def test_keeps_its_data_over_a_crash_and_a_restart(self, server: Server) -> None:
        server.ensure_running()
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

        server.restart_immediate()
        server.stop()
        server.ensure_running()

        assert one(server, "SELECT answer FROM kept") == 42

    def test_starts_again_after_its_process_was_killed(self, server: Server) -> None:
        server.ensure_running()
        kill(server)

        server.ensure_running()

        assert one(server, "SELECT 1") == 1

    def test_starts_although_another_program_got_its_process_number(self, server: Server) -> None:
        server.ensure_running()
        kill(server)
        with subprocess.Popen(["sleep", "60"]) as stranger:
            pid_file = server.data / "postmaster.pid"
            pid_file.write_text(pid_file.read_text().replace(str(postmaster(server)), str(stranger.pid), 1))

            server.ensure_running()
            stranger.kill()

        assert one(server, "SELECT 1") == 1

    def test_is_not_started_twice(self, server: Server) -> None:
        server.ensure_running()
        first = postmaster(server)

        server.ensure_running()

        assert postmaster(server) == first

    def test_names_its_url_without_starting(self, server: Server) -> None:
        assert server.dsn() == server.dsn()
        assert not server.running()
        assert not server.home.exists()

    def test_refuses_data_of_another_version(self, server: Server) -> None:
        server.data.mkdir(parents=True)
        (server.data / "PG_VERSION").write_text("16\n")

        with pytest.raises(PostgresError, match="written by PostgreSQL 16"):
            server.ensure_running()


class TestDoor:
    def test_is_a_socket_in_a_closed_folder_and_no_port(self, server: Server) -> None:
        server.ensure_running()

        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert one(server, "SHOW listen_addresses") == ""

    def test_asks_for_the_password(self, server: Server) -> None:
        server.ensure_running()

        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://holdpoint@/holdpoint?host={server.socket_dir}")

    def test_lets_nobody_in_as_superuser(self, server: Server) -> None:
        with (
            pytest.raises(psycopg.OperationalError, match="password authentication failed"),
            psycopg.connect(server.ensure_running().replace("//holdpoint:", "//postgres:")),
        ):
            pass

    def test_is_found_below_a_path_too_long_for_a_socket(self, server: Server) -> None:
        deep = Server(server.var_dir / ("deep" * 30), FORGETFUL)
        try:
            assert psycopg.connect(deep.ensure_running()).execute("SELECT 1").fetchone() == (1,)
        finally:
            discard(deep)


def postmaster(server: Server) -> int:
    """The process number of the running server."""
    return int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])


def kill(server: Server) -> None:
    os.kill(postmaster(server), signal.SIGKILL)
    while server.running():
        time.sleep(0.01)


def discard(server: Server) -> None:
    """Leave nothing: for root, the files may lie outside the test's own folder."""
    server.stop("immediate")
    shutil.rmtree(server.socket_dir, ignore_errors=True)
    shutil.rmtree(server.home, ignore_errors=True)
