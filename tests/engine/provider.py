"""A foreign system for engine tests: it keeps its own books, and fails in the way the test plans next."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# One tool for each idempotency class, one that takes back what was sent, and one that reads.
# All let the provider decide what happens.
HANDLERS = """
import os

URL = os.environ["ERP_URL"]


def send(arguments, context):
    headers = {"Idempotency-Key": context.idempotency_key}
    return context.http_json("POST", URL + "/effects", arguments, headers=headers, timeout=1)


def take_back(arguments, context):
    headers = {"Idempotency-Key": context.idempotency_key}
    return context.http_json("POST", URL + "/effects", {"ref": "-" + arguments["ref"]}, headers=headers, timeout=1)


def look_up(arguments, context):
    return context.http_json("GET", URL + "/finding?ref=" + arguments["ref"], timeout=1)


def read(arguments, context):
    return context.http_json("GET", URL + "/record?ref=" + arguments["ref"], timeout=5)


def work(input, context):
    return {"sent": [context.call(input["tool"], {"ref": ref}) for ref in input["refs"]]}
"""
REF = {"type": "object", "required": ["ref"], "properties": {"ref": {"type": "string"}}}


def tool(kind: str, **more: object) -> dict[str, object]:
    """A tool of that class which anybody may call unasked."""
    return {
        "name": f"send_{kind.lower()}", "version": "1", "effect": "write", "tier": "informational", "input_schema": REF,
        "idempotency_class": kind, "entry": "handlers:send", "business_key": "args.ref",
        "probe": "handlers:look_up", **more,
    }  # fmt: skip


TOOLS = [
    tool("A"), tool("B"), tool("C", probe=None),
    tool("B", name="fetch", effect="read", entry="handlers:read", probe=None),
    tool("A", name="unsafe", tier="customer_facing", record="handlers:read"),
]  # fmt: skip
RELEASE = {"env": ["ERP_URL"]}


class Provider:
    """`plan` what the next sends do, `finding` what a look-up says; `sends` and `effects` are the books."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.planned: list[str] = []
        self.finding: dict[str, object] | None = {"happened": "unknown"}  # None: the books cannot be read
        self.record: dict[str, object] = {"revision": 1}
        self.sends: list[tuple[str, str]] = []
        self.effects: list[str] = []
        self.reads = 0
        self._keys: set[str] = set()

    def plan(self, *deeds: str) -> None:
        """ok, fault (it happens, and the answer is 500), drop (it happens, no answer), vanish (no effect, no answer),
        down (nothing happens), refuse, empty.
        """
        self.planned += deeds

    def find(self, ref: str) -> dict[str, object] | None:
        """What a look-up is told about that reference."""
        return self.finding

    def take(self, key: str, body: dict[str, str]) -> tuple[int, dict[str, object]] | None:
        """Status and answer of one send, or None for silence."""
        self.sends.append((key, body["ref"]))
        deed = self.planned.pop(0) if self.planned else "ok"
        if deed in {"ok", "drop", "empty", "fault"} and key not in self._keys:
            self._keys.add(key)
            self.effects.append(body["ref"])
        answers = {
            "ok": (200, {"ref": body["ref"]}),
            "empty": (200, {"ref": ""}),
            "down": (503, {}),
            "fault": (500, {}),
            "refuse": (422, {"error": "no"}),
        }
        return answers.get(deed)


@contextmanager
def running(of: type[Provider] = Provider) -> Iterator[Provider]:
    """A provider on a free port, for as long as the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    server.provider = of(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.provider  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Door(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(self.server.provider.take(self.headers["Idempotency-Key"], body))  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        provider = self.server.provider  # type: ignore[attr-defined]
        address = urlsplit(self.path)
        ref = parse_qs(address.query)["ref"][0]
        if address.path == "/finding":
            finding = provider.find(ref)
            self._answer((200, finding) if finding is not None else (503, {}))
            return
        provider.reads += 1
        deed = provider.planned.pop(0) if provider.planned else "ok"
        if deed == "slow":
            time.sleep(1.2)
        if deed == "down":
            self._answer((503, {}))
            return
        self._answer((200, {"rows": []} if deed == "empty" else provider.record | {"ref": ref}))

    def _answer(self, answer: tuple[int, dict[str, object]] | None) -> None:
        if answer is None:
            self.close_connection = True
            return
        content = json.dumps(answer[1]).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...
