"""The ERP of the example: its journal is the oracle, its faults are the ones real systems have.

It honours `Idempotency-Key` and nothing else: whoever posts twice under two keys is booked twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import accounts as chart
import journal as ledger
from accounts import Accounts
from books import Books
from journal import Journal
from service import Fields, NoReply, Refused, Request, Route, serve


class Erp:
    """The doors: each translates a request into one call on the journal or the chart of accounts."""

    def __init__(self, books: Books) -> None:
        self.accounts = Accounts(books)
        self.journal = Journal(books, self.accounts)

    def post(self, request: Request) -> Fields:
        """Book an adjustment: all its lines, or as many as the planned fault lets through."""
        return self._book(request, self.journal.post)

    def reverse(self, request: Request) -> Fields:
        """Take a posting back by a second one that mirrors it."""
        return self._book(request, self.journal.reverse)

    def find(self, request: Request) -> Fields:
        """Look up by business key, or by batch; an unknown one is an empty list, not an error."""
        reference, batch_id = request.query.get("reference", ""), request.query.get("batch_id", "")
        if not reference and not batch_id:
            raise Refused(422, "say which: ?reference=... or ?batch_id=...")
        if request.fault and request.fault.mode == "empty":
            return {"postings": []}
        return {"postings": self.journal.find(reference, batch_id)}

    def books(self, request: Request) -> Fields:
        """The whole truth, for people and for tests."""
        postings = self.journal.everything()
        lines = [line for posting in postings for line in posting["lines"]]
        totals = {"postings": len(postings), "lines": len(lines)}
        return {"postings": postings, "accounts": self.accounts.overview(), "totals": totals}

    def _book(self, request: Request, act: ledger.Act) -> Fields:
        fault = request.fault
        if fault and fault.mode == "timeout_after_partial":
            act(request.key, request.body, 2)
            # The lock is free again: a retry under the same key completes the posting while this one hangs.
            raise NoReply(fault.seconds)
        return act(request.key, request.body, None)


def routes(folder: Path) -> Iterable[Route]:
    """What the ERP answers."""
    erp = Erp(Books(folder / "erp.db", chart.SCHEMA + ledger.SCHEMA))
    return (
        Route("POST", "/postings", erp.post),
        Route("GET", "/postings", erp.find),
        Route("POST", "/reversals", erp.reverse),
        Route("GET", "/accounts/(?P<account>[^/]+)", erp.accounts.show),
        Route("PATCH", "/accounts/(?P<account>[^/]+)", erp.accounts.change),
        Route("GET", "/books", erp.books),
    )


if __name__ == "__main__":
    serve("erp", routes)
