"""HTTP for handlers. Every way to fail says what it means: nothing happened, it is wrong, nobody knows.

Redirects are not followed and proxies not used: the address that was granted is the address that is called.
"""

from __future__ import annotations

import time

from orchestrator.runner import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse
    from typing import Any

    from orchestrator.runner.context import Context

MAX_ANSWER_BYTES = 8_000_000
_READS = ("GET", "HEAD", "OPTIONS")
_TRY_LATER = (408, 429, 503)
_DEFAULT_TIMEOUT = 30.0
# An answer must still be handed over after the last byte came.
_MARGIN = 0.1


def exchange(
    context: Context, method: str, url: str, *, body: object, headers: dict[str, str], timeout: float | None
) -> Any:
    """Send and return the decoded JSON answer (None when empty).

    SystemError: it never arrived, or was turned away (408, 429, 503), or a read failed. BusinessError: any
    other status below 500 that is no success. UnknownOutcome: a write was sent and its answer is missing,
    unreadable or another 5xx.
    """
    method = method.upper()
    unclear = context.SystemError if method in _READS else context.UnknownOutcome
    ends = _ends(context, timeout)
    what = f"{method} {url.partition('?')[0]}"
    sent = None if body is None else wire.canonical(body).encode()
    connection, target = _connect(context, url, what, ends)
    try:
        status, answer = _send(connection, (method, target, sent, headers), ends)
    except Exception as error:
        raise unclear(f"{what}: sent, but no complete answer ({_reason(error)})") from error
    finally:
        connection.close()
    _refuse_status(context, unclear, what, status, answer)
    return _decoded(unclear, what, answer)


def _ends(context: Context, timeout: float | None) -> float:
    left = context.deadline - time.time() - _MARGIN
    return time.monotonic() + max(0.001, min(timeout or _DEFAULT_TIMEOUT, left))


def _connect(context: Context, url: str, what: str, ends: float) -> tuple[HTTPConnection, str]:
    """A connected socket, or the certainty that nothing happened."""
    # Not at the top: 15 ms of every cold start, and many handlers never use it.
    from http.client import HTTPConnection, HTTPSConnection  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    parts = urlsplit(url)
    kind = {"http": HTTPConnection, "https": HTTPSConnection}.get(parts.scheme)
    if kind is None or not parts.hostname:
        raise context.BusinessError(f"{what}: not an http or https address")
    connection = kind(parts.hostname, parts.port, timeout=max(0.001, ends - time.monotonic()))
    try:
        connection.connect()
    except PermissionError as error:
        raise context.BusinessError(f"{what}: this address was not granted to the handler") from error
    except OSError as error:
        raise context.SystemError(f"{what}: no connection ({_reason(error)})") from error
    return connection, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _send(
    connection: HTTPConnection, request: tuple[str, str, bytes | None, dict[str, str]], ends: float
) -> tuple[int, bytes]:
    method, target, sent, headers = request
    kind = {} if sent is None else {"Content-Type": "application/json"}
    connection.request(method, target, sent, {"Accept": "application/json", **kind, **headers})
    sock = connection.sock
    sock.settimeout(max(0.001, ends - time.monotonic()))
    response = connection.getresponse()
    return response.status, _read(response, sock, ends)


def _read(response: HTTPResponse, sock: Any, ends: float) -> bytes:
    """The whole body. A server that sends a byte now and then does not get more time for it."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(65536):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise ValueError(f"more than {MAX_ANSWER_BYTES:,} bytes")
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(left)
    if response.length:
        raise ValueError(f"{response.length:,} bytes missing")
    return b"".join(parts)


def _refuse_status(context: Context, unclear: type[Exception], what: str, status: int, answer: bytes) -> None:
    if 200 <= status < 300:
        return
    message = f"{what} answered {status}: {wire.clean(answer.decode(errors='replace'), 500)}"
    if status in _TRY_LATER:
        raise context.SystemError(message)
    raise (unclear if status >= 500 else context.BusinessError)(message)


def _decoded(unclear: type[Exception], what: str, answer: bytes) -> Any:
    try:
        return wire.decode(answer) if answer.strip() else None
    except wire.NotJson as error:
        raise unclear(f"{what} answered something that is not JSON ({error})") from error


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
