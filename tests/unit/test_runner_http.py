"""`context.http_json`: every way an exchange can end says whether something may have happened."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from orchestrator.engine.runners.pool import Outcome, RunnerPool
from tests.unit.runner_world import failure, job, result

Behaviour = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def pool() -> Iterator[RunnerPool]:
    pool = RunnerPool()
    yield pool
    pool.close()


class Server:
    """Speaks just enough HTTP to misbehave: one behaviour for every connection, and what it was sent."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.requests: list[bytes] = []
        self._behaviour = behaviour
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # or a thread in accept() keeps it listening
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(_request(connection))
                self._behaviour(connection)


def _request(connection: socket.socket) -> bytes:
    """What was sent, whole or cut off. Where the other side is gone there is no more: asking again would never end."""
    received = b""
    while b"\r\n\r\n" not in received and (more := connection.recv(65536)):
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
    while len(body) < length and (more := connection.recv(65536)):
        body += more
    return head + b"\r\n\r\n" + body


def says(status: int, body: bytes = b"{}", *headers: str) -> Behaviour:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + body)


def drops(connection: socket.socket) -> None:
    """Close without a word, after the whole request was read."""


def sleeps(connection: socket.socket) -> None:
    time.sleep(1)


def breaks_off(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":')


def drips(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(20):
        try:
            connection.sendall(b" ")
        except OSError:
            return
        time.sleep(0.1)


@contextmanager
def server(behaviour: Behaviour) -> Iterator[Server]:
    with closing(Server(behaviour)) as one:
        yield one


def exchange(pool: RunnerPool, server: Server, method: str = "POST", **changes: Any) -> Outcome:
    given = {"method": method, "url": f"{server.url}/postings?x=1"} | changes
    return pool.run(job("http", given, env={"ERP_URL": server.url}))


class TestAnAnswer:
    def test_is_the_decoded_json(self, pool: RunnerPool) -> None:
        with server(says(201, b'{"id": "P-1", "lines": [1, 2]}')) as erp:
            outcome = exchange(pool, erp, body={"b": 1, "a": "\u00e4"}, headers={"Idempotency-Key": "K"})

        assert result(outcome) == {"answer": {"id": "P-1", "lines": [1, 2]}}
        head, _, body = erp.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /postings?x=1 HTTP/1.1")
        assert b"Idempotency-Key: K" in head
        assert json.loads(body) == {"a": "\u00e4", "b": 1}

    def test_without_a_body_is_nothing(self, pool: RunnerPool) -> None:
        with server(says(204, b"")) as erp:
            assert result(exchange(pool, erp)) == {"answer": None}

    def test_in_chunks_is_put_together(self, pool: RunnerPool) -> None:
        def chunked(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            connection.sendall(b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n')

        with server(chunked) as erp:
            assert result(exchange(pool, erp)) == {"answer": {"a": 1}}

    def test_that_ends_with_the_connection_is_complete(self, pool: RunnerPool) -> None:
        with server(lambda connection: connection.sendall(b'HTTP/1.0 200 OK\r\n\r\n{"a":1}')) as erp:
            assert result(exchange(pool, erp)) == {"answer": {"a": 1}}


class TestAStatus:
    @pytest.mark.parametrize(
        ("status", "of_a_write", "of_a_read"),
        [
            (302, "business", "business"),
            (400, "business", "business"),
            (404, "business", "business"),
            (409, "business", "business"),
            (408, "system", "system"),
            (429, "system", "system"),
            (503, "system", "system"),
            (500, "unknown_outcome", "system"),
            (502, "unknown_outcome", "system"),
            (504, "unknown_outcome", "system"),
        ],
    )
    def test_says_whether_something_may_have_happened(
        self, pool: RunnerPool, status: int, of_a_write: str, of_a_read: str
    ) -> None:
        with server(says(status, b'{"error": "closed period"}', "Location: http://127.0.0.1:1/")) as erp:
            write, read = (failure(exchange(pool, erp, method)) for method in ("POST", "GET"))

        assert (write.failure_class, read.failure_class) == (of_a_write, of_a_read)
        assert write.message.endswith(f'answered {status}: {{"error": "closed period"}}')
        assert len(erp.requests) == 2


class TestNoAnswer:
    @pytest.mark.parametrize("behaviour", [drops, sleeps, breaks_off, drips, says(200, b"<html>")])
    def test_leaves_the_outcome_of_a_write_unknown(self, pool: RunnerPool, behaviour: Behaviour) -> None:
        with server(behaviour) as erp:
            outcome = failure(exchange(pool, erp, body={}, timeout=0.4))

        assert outcome.failure_class == "unknown_outcome"

    @pytest.mark.parametrize("behaviour", [drops, sleeps, breaks_off])
    def test_to_a_read_is_a_system_fault(self, pool: RunnerPool, behaviour: Behaviour) -> None:
        with server(behaviour) as erp:
            outcome = failure(exchange(pool, erp, "GET", timeout=0.4))

        assert outcome.failure_class == "system"

    def test_because_nobody_listens_means_nothing_happened(self, pool: RunnerPool) -> None:
        with server(drops) as erp:
            pass

        assert failure(exchange(pool, erp)).failure_class == "system"

    def test_is_not_waited_for_beyond_the_deadline(self, pool: RunnerPool) -> None:
        with server(sleeps) as erp:
            given = {"method": "POST", "url": erp.url, "timeout": 60}
            outcome = failure(pool.run(job("http", given, env={"ERP_URL": erp.url}, timeout_seconds=0.6)))

        assert outcome.failure_class == "unknown_outcome"


class TestAnAddress:
    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense", "http://"])
    def test_that_is_no_http_address_is_refused(self, pool: RunnerPool, url: str) -> None:
        outcome = failure(pool.run(job("http", {"method": "GET", "url": url})))

        assert outcome.failure_class == "business"

    def test_that_was_not_granted_is_refused_where_the_kernel_can(self, pool: RunnerPool) -> None:
        with server(says(200)) as stranger:
            outcome = pool.run(job("http", {"method": "GET", "url": stranger.url}))

        if "landlock-ports" in pool.isolation()[1]:
            assert failure(outcome).failure_class == "business"
            assert "was not granted" in failure(outcome).message
            assert stranger.requests == []

    def test_that_nobody_knows_is_a_system_fault(self, pool: RunnerPool) -> None:
        url = "http://no-such-host.invalid/"
        outcome = failure(pool.run(job("http", {"method": "POST", "url": url}, env={"ERP_URL": url})))

        assert outcome.failure_class == "system"
