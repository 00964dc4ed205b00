"""The journal: a posting is several lines written one after the other, so it can be caught half done."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from accounts import CLEARING, Accounts, amount, cents
from books import Books, canonical, digest
from service import Fields, Refused

SCHEMA = """
CREATE TABLE IF NOT EXISTS postings (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, digest TEXT NOT NULL, reference TEXT NOT NULL,
    batch_id TEXT NOT NULL, body TEXT NOT NULL, plan TEXT NOT NULL, opened_at TEXT NOT NULL,
    reverses INTEGER UNIQUE REFERENCES postings (number));
CREATE INDEX IF NOT EXISTS postings_by_reference ON postings (reference);
CREATE INDEX IF NOT EXISTS postings_by_batch ON postings (batch_id);
CREATE TABLE IF NOT EXISTS lines (
    posting INTEGER NOT NULL REFERENCES postings (number), line INTEGER NOT NULL, account TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('debit', 'credit')), cents INTEGER NOT NULL CHECK (cents > 0),
    currency TEXT NOT NULL, written_at TEXT NOT NULL, PRIMARY KEY (posting, line)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lines_by_account ON lines (account);
"""

STRIPES = 64

# What books a posting: key, body, and how many lines to write before stopping (None: all).
Act = Callable[[str | None, Fields, int | None], Fields]


@dataclass(frozen=True)
class Entry:
    """What one keyed request asks for: the lines it plans, and the posting it takes back, if any."""

    key: str | None
    body: Fields
    reference: str
    batch_id: str
    plan: list[Fields]
    reverses: int | None = None


class Journal:
    """Same key, same body: one posting, completed if need be.

    References are not compared: whoever posts twice under two keys is booked twice, and it shows.
    """

    def __init__(self, books: Books, accounts: Accounts) -> None:
        self._books = books
        self._accounts = accounts
        self._stripes = [threading.Lock() for _ in range(STRIPES)]

    def post(self, key: str | None, body: Fields, only_lines: int | None = None) -> Fields:
        """Open the posting or find the one this key opened, then write what is missing of it."""
        entry = Entry(key, body, _text(body, "reference"), str(body.get("batch_id", "")), plan_of(body))
        with self._one_at_a_time(key):
            number = self._opened_by(key, body) or self._open(entry)
            self._write(number, only_lines)
        return self.posting(number)

    def reverse(self, key: str | None, body: Fields, only_lines: int | None = None) -> Fields:
        """Mirror the lines that were written; from then on the original accepts no further line."""
        with self._one_at_a_time(key):
            number = self._opened_by(key, body) or self._open_reversal(key, body)
            self._write(number, only_lines)
        return self.posting(number)

    def find(self, reference: str = "", batch_id: str = "") -> list[Fields]:
        """Postings of one business key, or of one batch, oldest first."""
        rows = self._books.select(
            "SELECT number FROM postings WHERE reference = ?1 OR (?2 <> '' AND batch_id = ?2) ORDER BY number",
            *(reference, batch_id),
        )
        return [self.posting(row["number"]) for row in rows]

    def everything(self) -> list[Fields]:
        """The whole journal, oldest first."""
        rows = self._books.select("SELECT number FROM postings ORDER BY number")
        return [self.posting(row["number"]) for row in rows]

    def posting(self, number: int) -> Fields:
        """One posting as a reader sees it, with how much of it is really there."""
        row = self._books.select("SELECT * FROM postings WHERE number = ?", number)[0]
        lines = self._books.select("SELECT * FROM lines WHERE posting = ? ORDER BY line", number)
        reversal = self._books.first("SELECT number FROM postings WHERE reverses = ?", number)
        expected = len(json.loads(row["plan"]))
        return {
            **json.loads(row["body"]),
            "posting": _name(number),
            "reference": row["reference"],
            "status": _status(len(lines), expected, reversal),
            "lines_written": len(lines),
            "lines_expected": expected,
            "idempotency_key": row["key"],
            "reverses": row["reverses"] and _name(row["reverses"]),
            "reversed_by": reversal and _name(reversal["number"]),
            "opened_at": row["opened_at"],
            "lines": [_line(line) for line in lines],
        }

    def _one_at_a_time(self, key: str | None) -> threading.Lock:
        """Concurrent duplicates of one key queue here; without a key every request is its own."""
        return self._stripes[hash(key) % STRIPES] if key else threading.Lock()

    def _opened_by(self, key: str | None, body: Fields) -> int | None:
        row = self._books.first("SELECT number, digest FROM postings WHERE key = ?", key)
        if row is None:
            return None
        if row["digest"] != digest(body):
            raise Refused(422, f"idempotency key {key} was used with another body, for {_name(row['number'])}")
        return int(row["number"])

    def _open(self, entry: Entry) -> int:
        for line in entry.plan:
            self._accounts.refuse_unless_postable(line["account"], line["cents"])
        return self._insert(entry)

    def _open_reversal(self, key: str | None, body: Fields) -> int:
        # One transaction: no line of the original may slip in between reading its lines and closing it.
        with self._books.transaction():
            original = self._original(_text(body, "reference"))
            lines = self._books.select("SELECT * FROM lines WHERE posting = ? ORDER BY line DESC", original["number"])
            plan = [_mirrored(line) for line in lines]
            reference = f"REV-{original['reference']}"
            return self._insert(Entry(key, body, reference, original["batch_id"], plan, original["number"]))

    def _original(self, reference: str) -> Fields:
        rows = self._books.select("SELECT * FROM postings WHERE reference = ?", reference)
        if len(rows) != 1:
            raise Refused(422, f"{len(rows)} postings carry the reference {reference!r}; one can be reversed")
        if self._books.first("SELECT number FROM postings WHERE reverses = ?", rows[0]["number"]):
            raise Refused(422, f"{reference!r} is already reversed")
        return rows[0]

    def _insert(self, entry: Entry) -> int:
        return self._books.write(
            "INSERT INTO postings (key, digest, reference, batch_id, body, plan, opened_at, reverses)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            entry.key,
            digest(entry.body),
            entry.reference,
            entry.batch_id,
            canonical(entry.body),
            canonical(entry.plan),
            _now(),
            entry.reverses,
        )

    def _write(self, number: int, only_lines: int | None) -> None:
        """Each line is a commit of its own; lines already there stay, a reversed posting gets no more."""
        row = self._books.select("SELECT plan FROM postings WHERE number = ?", number)[0]
        for position, line in enumerate(json.loads(row["plan"])[:only_lines], start=1):
            self._books.write(
                "INSERT INTO lines SELECT ?, ?, ?, ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM postings WHERE reverses = ?) ON CONFLICT DO NOTHING",
                *(
                    number,
                    position,
                    line["account"],
                    line["side"],
                    line["cents"],
                    line["currency"],
                    _now(),
                    number,
                ),
            )


def plan_of(body: Fields) -> list[Fields]:
    """Debit one account, credit the other, both through the clearing account: four lines that balance."""
    whole, currency = cents(body.get("amount")), _text(body, "currency")
    sides = (
        (_text(body, "account"), "debit"),
        (CLEARING, "credit"),
        (CLEARING, "debit"),
        (_text(body, "counter_account"), "credit"),
    )
    return [{"account": account, "side": side, "cents": whole, "currency": currency} for account, side in sides]


def _mirrored(line: Fields) -> Fields:
    side = "credit" if line["side"] == "debit" else "debit"
    return {"account": line["account"], "side": side, "cents": line["cents"], "currency": line["currency"]}


def _status(written: int, expected: int, reversal: Fields | None) -> str:
    if reversal:
        return "reversed"
    return "complete" if written == expected else "partial"


def _line(row: Fields) -> Fields:
    shown = {name: row[name] for name in ("line", "account", "side", "currency", "written_at")}
    return {**shown, "amount": amount(row["cents"])}


def _text(body: Fields, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(422, f"{name!r} is missing: it must be a non-empty string")
    return value


def _name(number: int) -> str:
    return f"P-{number:06d}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
