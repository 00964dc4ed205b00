"""The examples' own processes and handlers, for tests: a system on a free port, a context without a gate."""

from __future__ import annotations

import http.client
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from orchestrator.runner.context import Context

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ERP = EXAMPLES / "reconciliation/servers/erp.py"
LEDGER = EXAMPLES / "reconciliation/servers/ledger_api.py"
CRM = EXAMPLES / "support_case_resolution/servers/crm.py"

Fields = dict[str, Any]


class System:
    """One foreign system: start it, talk to it, kill it, start it again over the same books."""

    def __init__(self, script: Path, books: Path) -> None:
        self._command = [sys.executable, str(script), "--port", "0", "--books", str(books)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.ready_line = self._process.stdout.readline().strip()
        self.url = self.ready_line.rpartition(" ")[2]

    def kill(self) -> None:
        """As `kill -9` does: no time to say goodbye."""
        self._process.kill()
        self._process.communicate()

    def ask(
        self, method: str, path: str, body: object = None, key: str | None = None, timeout: float = 10
    ) -> tuple[int, Fields]:
        """Status and answer. A reply that never comes raises OSError."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=timeout)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Idempotency-Key": key} if key else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Fields:
        """The answer of a read that must succeed."""
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def plan(self, mode: str, **rest: Any) -> None:
        """Let it go wrong."""
        status, answer = self.ask("POST", "/faults", {"mode": mode, **rest})
        assert status == 200, answer


@contextmanager
def running(script: Path, books: Path) -> Iterator[System]:
    """A system that ends with the test."""
    system = System(script, books)
    try:
        yield system
    finally:
        system.kill()


def load(example: str, name: str) -> ModuleType:
    """A module of an example, under a name of its own: both examples have a `handlers`."""
    folder = EXAMPLES / example
    unique = f"{example}_{name}"
    if unique not in sys.modules:
        spec = importlib.util.spec_from_file_location(unique, folder / f"{name}.py")
        assert spec
        assert spec.loader
        sys.modules[unique] = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(folder))
        try:
            spec.loader.exec_module(sys.modules[unique])
        finally:
            sys.path.remove(str(folder))
    return sys.modules[unique]


class Ungated(Context):
    """The runner's context without a control plane: a proposed call runs at once, under a key of its own."""

    def __init__(self, handlers: ModuleType, key: str = "key-1") -> None:
        header = {"context": {"idempotency_key": key}, "timeout": 20, "max_result_bytes": 1_000_000}
        super().__init__(header, channel=None)  # type: ignore[arg-type]
        self.proposed: list[Fields] = []
        self._handlers = handlers

    def call(self, tool: str, arguments: Fields | None = None) -> Any:
        """Run the tool's implementation as named in tools.json."""
        self.proposed.append({"tool": tool, **(arguments or {})})
        entry = next(item["entry"] for item in contracts(self._handlers, "tools") if item["name"] == tool)
        act = getattr(self._handlers, entry.partition(":")[2])
        return act(arguments, Ungated(self._handlers, key=f"{self.idempotency_key}-{len(self.proposed)}"))


def contracts(handlers: ModuleType, kind: str) -> list[Fields]:
    """tools.json, agents.json or policies.json beside a handlers module."""
    assert handlers.__file__
    items: list[Fields] = json.loads((Path(handlers.__file__).parent / f"{kind}.json").read_text())
    return items
