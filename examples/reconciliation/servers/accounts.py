"""The chart of accounts: master data a posting must respect, and balances that follow from the journal."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from books import Books
from service import Fields, Refused, Request

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    account TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('open', 'blocked')),
    posting_limit_cents INTEGER NOT NULL, revision INTEGER NOT NULL);
"""

CLEARING = "1460"
CHART = {
    "1200": "Accounts receivable",
    CLEARING: "Cash in transit",
    "1590": "Suspense: unallocated bank items",
    "1600": "Accounts payable",
    "1710": "Customer credit balances",
    "1800": "Bank, current account",
    "4730": "Refunds to customers",
    "4840": "Exchange gains",
    "6855": "Bank charges",
    "6880": "Exchange losses",
    "6895": "Rounding differences",
    "7100": "Interest income",
    "7300": "Interest expense",
}
POSTING_LIMIT = 50_000_00


class Accounts:
    """Master data has a revision of its own: postings move the balance, people move the revision."""

    def __init__(self, books: Books) -> None:
        self._books = books
        seed = "INSERT INTO accounts VALUES (?, ?, 'open', ?, 1) ON CONFLICT DO NOTHING"
        with books.transaction():
            for account, name in CHART.items():
                books.write(seed, account, name, POSTING_LIMIT)

    def show(self, request: Request, account: str) -> Fields:
        """The authoritative record, with its balance by currency."""
        return self._with_balance(self._find(account))

    def change(self, request: Request, account: str) -> Fields:
        """Master data as a person keeps it: status and posting limit. Every change is a new revision."""
        row = self._find(account)
        status = request.body.get("status", row["status"])
        if status not in ("open", "blocked"):
            raise Refused(422, "status must be open or blocked")
        limit = cents(request.body.get("posting_limit", amount(row["posting_limit_cents"])))
        self._books.write(
            "UPDATE accounts SET status = ?, posting_limit_cents = ?, revision = revision + 1 WHERE account = ?",
            *(status, limit, account),
        )
        return self._with_balance(self._find(account))

    def overview(self) -> list[Fields]:
        """Every account in order of its number."""
        rows = self._books.select("SELECT * FROM accounts ORDER BY account")
        return [self._with_balance(row) for row in rows]

    def refuse_unless_postable(self, account: object, posted_cents: int) -> None:
        """Raise unless this account takes a posting of that size today."""
        row = self._find(account)
        if row["status"] != "open":
            raise Refused(422, f"account {account} is {row['status']}; ask bookkeeping to open it")
        if posted_cents > row["posting_limit_cents"]:
            limit = amount(row["posting_limit_cents"])
            raise Refused(422, f"{amount(posted_cents)} is above the posting limit {limit} of account {account}")

    def _find(self, account: object) -> Fields:
        row = self._books.first("SELECT * FROM accounts WHERE account = ?", account)
        if row is None:
            raise Refused(404, f"no account {account!r} in the chart of accounts")
        return row

    def _with_balance(self, row: Fields) -> Fields:
        return {
            "account": row["account"],
            "name": row["name"],
            "status": row["status"],
            "posting_limit": amount(row["posting_limit_cents"]),
            "revision": row["revision"],
            "balance": self._balance(row["account"]),
        }

    def _balance(self, account: str) -> dict[str, str]:
        sums = self._books.select(
            "SELECT currency, SUM(CASE side WHEN 'debit' THEN cents ELSE -cents END) AS cents"
            " FROM lines WHERE account = ? GROUP BY currency ORDER BY currency",
            account,
        )
        return {row["currency"]: amount(row["cents"]) for row in sums}


def cents(text: object) -> int:
    """'12.40' -> 1240; the books count in whole cents and never in floats."""
    try:
        exact = Decimal(str(text)) * 100
        whole = int(exact)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise Refused(422, f"{text!r} is not an amount; write it like 12.40") from error
    if exact != whole or whole <= 0:
        raise Refused(422, f"{text!r} must be above zero with at most two decimals")
    return whole


def amount(whole: int) -> str:
    """1240 -> '12.40'."""
    return f"{Decimal(whole) / 100:.2f}"
