"""The general ledger's API: keeps uploaded batches (bank rows beside ledger rows), hands them out again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from books import Books, canonical, digest
from service import Fields, Refused, Request, Route, serve

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    batch_id TEXT PRIMARY KEY, content TEXT NOT NULL, received_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
"""


class Batches:
    """A batch is named by the digest of its content, so receiving it twice keeps it once."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def receive(self, request: Request) -> Fields:
        """Keep the rows; the same rows under the same label are the same batch."""
        batch = _batch(request.body)
        batch_id = "B-" + digest(batch)[:16]
        statement = "INSERT INTO batches (batch_id, content) VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._books.write(statement, batch_id, canonical(batch))
        return {"batch_id": batch_id, **_sizes(batch)}

    def show(self, request: Request, batch_id: str) -> Fields:
        """The rows as they were received."""
        row = self._books.first("SELECT content FROM batches WHERE batch_id = ?", batch_id)
        if row is None:
            raise Refused(404, f"no batch {batch_id}; upload it with POST /batches")
        batch: Fields = json.loads(row["content"])
        if request.fault and request.fault.mode == "empty":
            batch |= {"bank": [], "ledger": []}
        return {"batch_id": batch_id, **batch}

    def overview(self, request: Request) -> Fields:
        """Every batch this ledger holds, oldest first."""
        rows = self._books.select("SELECT * FROM batches ORDER BY rowid")
        return {"batches": [_summary(row) for row in rows]}


def _batch(body: Fields) -> Fields:
    for name in ("bank", "ledger"):
        rows = body.get(name)
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            raise Refused(422, f"{name!r} must be a non-empty list of row objects")
    if not isinstance(body.get("currency"), str):
        raise Refused(422, "'currency' must be an ISO code such as EUR")
    return {name: body.get(name, "") for name in ("label", "currency", "bank", "ledger")}


def _sizes(batch: Fields) -> Fields:
    return {
        "label": batch["label"],
        "currency": batch["currency"],
        "bank_rows": len(batch["bank"]),
        "ledger_rows": len(batch["ledger"]),
    }


def _summary(row: Fields) -> Fields:
    sizes = _sizes(json.loads(row["content"]))
    return {"batch_id": row["batch_id"], "received_at": row["received_at"], **sizes}


def routes(folder: Path) -> Iterable[Route]:
    """What the ledger answers."""
    batches = Batches(Books(folder / "ledger.db", SCHEMA))
    return (
        Route("POST", "/batches", batches.receive),
        Route("GET", "/batches/(?P<batch_id>[^/]+)", batches.show),
        Route("GET", "/books", batches.overview),
    )


if __name__ == "__main__":
    serve("ledger_api", routes)
