"""The CRM of the example: cases and what was written into them, each update once per idempotency key."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

# The loopback plumbing is the reconciliation example's: one way to serve, keep books and fail on demand.
sys.path.append(str(Path(__file__).resolve().parents[2] / "reconciliation" / "servers"))

from books import Books, canonical, digest
from service import Fields, Refused, Request, Route, serve

SCHEMA = """
CREATE TABLE IF NOT EXISTS updates (
    number INTEGER PRIMARY KEY AUTOINCREMENT, case_id TEXT NOT NULL, key TEXT UNIQUE, digest TEXT NOT NULL,
    body TEXT NOT NULL, written_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE INDEX IF NOT EXISTS updates_by_case ON updates (case_id);
"""


class Cases:
    """A case is what was written into it; the first update opens it."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def update(self, request: Request, case_id: str) -> Fields:
        """Append an update. The same key with the same body is the update that is already there."""
        if not isinstance(request.body.get("reply"), str):
            raise Refused(422, "'reply' is missing: it must be a string")
        with self._books.transaction():
            row = self._first_under(request.key) or self._insert(case_id, request)
        if (row["case_id"], row["digest"]) != (case_id, digest(request.body)):
            raise Refused(422, f"idempotency key {request.key} was used for another update")
        return _shown(row)

    def show(self, request: Request, case_id: str) -> Fields:
        """All updates of one case, oldest first; a case nobody wrote to has none."""
        rows = self._books.select("SELECT * FROM updates WHERE case_id = ? ORDER BY number", case_id)
        return {"case_id": case_id, "updates": [_shown(row) for row in rows]}

    def overview(self, request: Request) -> Fields:
        """Every update, oldest first."""
        return {"updates": [_shown(row) for row in self._books.select("SELECT * FROM updates ORDER BY number")]}

    def _first_under(self, key: str | None) -> Fields | None:
        return self._books.first("SELECT * FROM updates WHERE key = ?", key)

    def _insert(self, case_id: str, request: Request) -> Fields:
        number = self._books.write(
            "INSERT INTO updates (case_id, key, digest, body) VALUES (?, ?, ?, ?)",
            *(case_id, request.key, digest(request.body), canonical(request.body)),
        )
        return self._books.select("SELECT * FROM updates WHERE number = ?", number)[0]


def _shown(row: Fields) -> Fields:
    body: Fields = json.loads(row["body"])
    facts = {"case_id": row["case_id"], "idempotency_key": row["key"], "written_at": row["written_at"]}
    return {**body, **facts, "update": f"U-{row['number']:06d}"}


def routes(folder: Path) -> Iterable[Route]:
    """What the CRM answers."""
    cases = Cases(Books(folder / "crm.db", SCHEMA))
    return (
        Route("POST", "/cases/(?P<case_id>[^/]+)/updates", cases.update),
        Route("GET", "/cases/(?P<case_id>[^/]+)", cases.show),
        Route("GET", "/books", cases.overview),
    )


if __name__ == "__main__":
    serve("crm", routes)
