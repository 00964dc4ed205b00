"""A small JSON-over-HTTP process: routes in, one ready line out. Knows no posting, batch or case."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from faults import Fault, Faults

Fields = dict[str, Any]

# A foreign system must stay observable and controllable while it misbehaves.
ALWAYS_UP = ("/healthz", "/faults", "/books")
LARGEST_BODY = 16 * 1024 * 1024


class Refused(Exception):
    """A request this service understood and turned down."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class NoReply(Exception):
    """The caller never hears back: the connection stalls for a while, then closes without an answer."""

    def __init__(self, seconds: float = 0) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass(frozen=True)
class Request:
    """One call as a route sees it; `fault` is what it was told to do wrong, if anything."""

    method: str
    path: str
    query: dict[str, str]
    body: Fields
    key: str | None
    fault: Fault | None = None


@dataclass(frozen=True)
class Route:
    """`pattern` matches the whole path; its named groups become arguments of `answer`."""

    method: str
    pattern: str
    answer: Callable[..., Fields]


class Service(ThreadingHTTPServer):
    """One process on the loopback address, one thread per connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str, port: int, routes: Iterable[Route]) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.name = name
        self.faults = Faults()
        self.routes = [
            *routes,
            Route("GET", "/healthz", lambda request: {"service": name, "status": "ok"}),
            Route("GET", "/faults", lambda request: self.faults.as_fields()),
            Route("POST", "/faults", self._plan_fault),
        ]

    def answer(self, request: Request) -> Fields:
        """Find the route and run it, wrapped in whatever fault is due."""
        act, groups = self._route(request)
        fault = self._fault_for(request)
        _misbehave_before(fault)
        result = act(Request(**{**request.__dict__, "fault": fault}), **groups)
        _misbehave_after(fault)
        return result

    def _route(self, request: Request) -> tuple[Callable[..., Fields], dict[str, str]]:
        for route in self.routes:
            found = re.fullmatch(route.pattern, request.path)
            if found and route.method == request.method:
                return route.answer, {name: unquote(text) for name, text in found.groupdict().items()}
        raise Refused(404, f"{self.name} has no {request.method} {request.path}")

    def _fault_for(self, request: Request) -> Fault | None:
        if request.path in ALWAYS_UP:
            return None
        facts = {**request.query, **request.body, "path": request.path, "method": request.method}
        return self.faults.take(facts)

    def _plan_fault(self, request: Request) -> Fields:
        try:
            self.faults.plan(request.body)
        except ValueError as error:
            raise Refused(422, str(error)) from error
        return self.faults.as_fields()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up is no news; everything else is a bug and keeps its traceback."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _misbehave_before(fault: Fault | None) -> None:
    if fault and fault.mode == "down":
        raise Refused(503, "down for maintenance: nothing was done")
    if fault and fault.mode == "slow":
        time.sleep(fault.seconds)


def _misbehave_after(fault: Fault | None) -> None:
    if fault and fault.mode == "error_after_effect":
        raise Refused(500, "internal error")
    if fault and fault.mode == "drop_reply":
        raise NoReply


class _Conversation(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Head and body leave in one segment: two small writes would meet delayed acknowledgements (40 ms each).
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        try:
            self._reply(200, self.server.answer(self._read()))
        except Refused as no:
            self._reply(no.status, {"error": str(no)})
        except NoReply as silence:
            time.sleep(silence.seconds)
            self.close_connection = True

    do_GET = do_POST = do_PATCH = _serve

    def _read(self) -> Request:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self.close_connection = True
            raise Refused(413, f"the body is larger than {LARGEST_BODY} bytes")
        address = urlsplit(self.path)
        body = _object(self.rfile.read(length))
        key = self.headers.get("Idempotency-Key")
        return Request(self.command, address.path, dict(parse_qsl(address.query)), body, key)

    def _reply(self, status: int, fields: Fields) -> None:
        content = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent: the ready line is the only output."""


def _object(content: bytes) -> Fields:
    try:
        body = json.loads(content or b"{}")
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    return body


def serve(name: str, routes_over: Callable[[Path], Iterable[Route]]) -> None:
    """Run until stopped: `--port 0` picks a free port, the ready line tells which."""
    parser = argparse.ArgumentParser(description=f"{name} of the example, on the loopback address")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--books", type=Path, required=True, help="folder that keeps this system's own records")
    options = parser.parse_args()
    options.books.mkdir(parents=True, exist_ok=True)
    service = Service(name, options.port, routes_over(options.books))
    sys.stdout.write(f"{name} ready on http://127.0.0.1:{service.server_port}\n")
    sys.stdout.flush()
    try:
        service.serve_forever()
    except KeyboardInterrupt:
        service.server_close()
