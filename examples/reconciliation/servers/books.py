"""One SQLite file as a system's own books: what was committed is on the disk before anybody is told."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Books:
    """One connection shared by all threads, one transaction at a time; nothing ever waits inside one."""

    def __init__(self, path: Path, schema: str) -> None:
        self._guard = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        # FULL flushes at every commit, which is what an answer of 200 promises.
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, and on the disk when it ends well."""
        with self._guard:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def write(self, sql: str, *values: object) -> int:
        """One statement, a transaction of its own unless one is open; returns the inserted row's number."""
        with self._guard:
            return self._connection.execute(sql, values).lastrowid or 0

    def select(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Every row, as a dictionary."""
        with self._guard:
            return [dict(row) for row in self._connection.execute(sql, values)]

    def first(self, sql: str, *values: object) -> dict[str, Any] | None:
        """The first row, or nothing."""
        return next(iter(self.select(sql, *values)), None)


def canonical(value: object) -> str:
    """The same JSON for the same value, whatever order its keys arrived in."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """SHA-256 over the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
