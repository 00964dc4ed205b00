"""The system outside, as a process of its own: what it did stands in its own books, on the disk, before it answers.

It is the witness of every trial, so nothing the control plane writes judges the control plane. A reference says how it
behaves: `A...` honours its idempotency key, `B...` can be looked up, `C...` neither. `plan` says what the next sends of a
reference come to. It takes webhooks as well, and keeps their ids.

    python tests/faults/ledger.py BOOKS [PORT]

Killed and started again, it goes on where its books end.
"""

import json
import os
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class Books:
    """Appended and fsynced, then remembered."""

    def __init__(self, path: Path) -> None:
        before = path.read_text().splitlines(keepends=True) if path.exists() else []
        self._file = path.open("a")
        self._lock = threading.Lock()
        self._planned: dict[str, list[str]] = defaultdict(list)
        self._keys: set[tuple[str, str]] = set()
        self._late: dict[str, str] = {}
        self.sends: dict[str, list[str]] = defaultdict(list)
        self.effects: dict[str, list[str]] = defaultdict(list)
        self.hooks: list[str] = []
        for line in before:
            if line.endswith("\n"):
                self._remember(*json.loads(line))

    def _remember(self, what: str, *rest: str) -> None:
        match what, *rest:
            case "plan", ref, *deeds:
                self._planned[ref] += deeds
            case "mend", *_:
                self._planned.clear()
            case "send", ref, key:
                self.sends[ref].append(key)
                self._planned[ref] = self._planned[ref][1:]
            case "late", ref, key:
                self._late[ref] = key
            case "effect", ref, key:
                self._late.pop(ref, None)
                self._keys.add((ref, key))
                self.effects[ref].append(key)
            case "hook", message_id:
                self.hooks.append(message_id)

    def plan(self, ref: str, deeds: list[str]) -> None:
        """ok, down (nothing happens), drop (it happens, no answer), vanish (no effect, no answer), late (no answer, and it
        happens after somebody has looked for it).
        """
        with self._lock:
            self._write("plan", ref, *deeds)
            self._remember("plan", ref, *deeds)

    def mend(self) -> None:
        """Whatever was planned does not happen any more."""
        with self._lock:
            self._write("mend")
            self._remember("mend")

    def take(self, ref: str, key: str) -> str:
        """One send. What it comes to."""
        with self._lock:
            deed = next(iter(self._planned[ref]), "ok")
            self._write("send", ref, key)
            self._remember("send", ref, key)
            repeated = ref.startswith("A") and (ref, key) in self._keys
            if deed in {"ok", "drop"} and not repeated:
                self._write("effect", ref, key)
                self._remember("effect", ref, key)
            elif deed == "late":
                self._write("late", ref, key)
                self._remember("late", ref, key)
            return deed

    def find(self, ref: str) -> str:
        """Whether it is in the books as somebody looks for it."""
        with self._lock:
            found = "yes" if self.effects[ref] else "no"
            if key := self._late.get(ref):
                self._write("effect", ref, key)
                self._remember("effect", ref, key)
            return found

    def hooked(self, message_id: str) -> None:
        with self._lock:
            self._write("hook", message_id)
            self._remember("hook", message_id)

    def _write(self, *words: str) -> None:
        self._file.write(json.dumps(words) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Door(BaseHTTPRequestHandler):
    books: Books

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hooks":
            self.books.hooked(self.headers["webhook-id"])
            return self._answer(200, {})
        body = json.loads(content)
        if self.path == "/plan":
            self.books.plan(body["ref"], body["deeds"])
            return self._answer(200, {})
        if self.path == "/mend":
            self.books.mend()
            return self._answer(200, {})
        deed = self.books.take(body["ref"], self.headers["Idempotency-Key"])
        if deed in {"drop", "vanish", "late"}:
            self.close_connection = True
            return None
        return self._answer(503 if deed == "down" else 200, {"ref": body["ref"]})

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query).get("ref", [""])[0]
        if self.path.startswith("/finding"):
            self._answer(200, {"happened": self.books.find(asked), "result": {"ref": asked}})
        elif self.path.startswith("/record"):
            self._answer(200, {"revision": 1, "ref": asked})
        elif self.path.startswith("/hooks"):
            self._answer(200, {"hooks": self.books.hooks})
        else:
            self._answer(200, {"sends": self.books.sends[asked], "effects": self.books.effects[asked]})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


def main() -> None:
    Door.books = Books(Path(sys.argv[1]))
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Door)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
