"""Compare a bank statement with the ledger: what agrees, what explains the rest, what must be adjusted.

Deterministic rules, no input or output. A model that reads free text would replace `_explain` alone: its
answer would pass the same schema, and its adjustments the same gate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rows import Row

DAYS_APART = 5
ROUNDING = Decimal("0.05")
FX_SHARE = Decimal("0.05")
BANK = "1800"

# kind -> (account when the bank holds less than the ledger says, account when it holds more)
ACCOUNTS = {
    "bank_fee": ("6855", "6855"),
    "rounding": ("6895", "6895"),
    "interest": ("7300", "7100"),
    "fx_difference": ("6880", "4840"),
    "duplicate": ("1600", "1710"),
    "customer_refund": ("4730", "4730"),
    "missing_in_ledger": ("1590", "1590"),
}
_FEE = re.compile(r"\b(fee|fees|charge|charges|commission)\b", re.IGNORECASE)
_INTEREST = re.compile(r"\binterest\b", re.IGNORECASE)
_REFUND = re.compile(r"\b(refund|goodwill|chargeback)\b", re.IGNORECASE)
# A code with an amount behind it, decimals and all: "USD 48200.00". Neither "INV 26127" nor a rate of five digits.
_MONEY = re.compile(r"\b([A-Z]{3}) ?(?:\d+|\d{1,3}(?:[ ',.]\d{3})+)[.,]\d{2}(?![.,]?\d| ?%)")
# ISO 4217, what people pay with: "VAT 19.00" is no money.
_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
    COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK
    MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF
    SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU
    UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
_CURRENCIES = frozenset(_CODES.split())
_OUR_INVOICE, _OUR_CREDIT_NOTE = "INV-", "CN-"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one row. `difference` is what must still be booked: zero if nothing, or if unclear."""

    kind: str
    reason: str
    row: Row
    other: Row | None = None
    difference: Decimal = Decimal(0)


def classify(bank: Sequence[Row], ledger: Sequence[Row]) -> list[Finding]:
    """One finding per bank row, in its order, then one per ledger row the bank never saw."""
    open_rows = list(ledger)
    exact = {row.reference: found for row in bank if (found := _take_exact(row, open_rows))}
    paid = {(row.document, row.amount) for row in bank if row.reference in exact and row.document}
    findings = [_finding(row, exact.get(row.reference), open_rows, paid) for row in bank]
    return findings + [Finding("missing_in_bank", "in the ledger, not on the statement yet", row) for row in open_rows]


def adjustments(findings: Sequence[Finding], batch_id: str) -> list[dict[str, Any]]:
    """The postings these findings ask for: internal before customer-facing, small before large."""
    wanted = [_adjustment(finding, batch_id) for finding in findings if finding.difference]
    return sorted(wanted, key=lambda item: (item["customer_facing"], Decimal(item["amount"]), item["reference"]))


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """How many rows of each kind, most frequent first."""
    return dict(Counter(finding.kind for finding in findings).most_common())


def _take_exact(row: Row, open_rows: list[Row]) -> Row | None:
    fits = [
        other
        for other in open_rows
        if (other.document, other.amount) == (row.document, row.amount) and _days_apart(row, other) <= DAYS_APART
    ]
    best = min(fits, key=lambda other: _days_apart(row, other), default=None)
    if best:
        open_rows.remove(best)
    return best


def _finding(row: Row, exact: Row | None, open_rows: list[Row], paid: set[tuple[str, Decimal]]) -> Finding:
    if exact:
        return Finding("matched", "same document and amount", row, exact)
    candidate = next((other for other in open_rows if row.document and other.document == row.document), None)
    if candidate is None:
        return _explain(row, paid)
    open_rows.remove(candidate)
    return _compare(row, candidate)


def _compare(row: Row, other: Row) -> Finding:
    """The ledger knows the document, but not this amount or not at this time."""
    difference = row.amount - other.amount
    if _days_apart(row, other) > DAYS_APART:
        reason = f"booked {_days_apart(row, other)} days apart; a person must say whether it is the same"
        return Finding("missing_in_ledger", reason, row, other)
    if abs(difference) <= ROUNDING:
        return Finding("rounding", f"differs by {difference}", row, other, difference)
    if _foreign(row, other) and abs(difference) <= abs(other.amount) * FX_SHARE:
        return Finding("fx_difference", f"{_foreign(row, other)} converted at another rate", row, other, difference)
    reason = f"the amounts differ by {difference}, which nothing explains"
    return Finding("missing_in_ledger", reason, row, other)


def _explain(row: Row, paid: set[tuple[str, Decimal]]) -> Finding:
    """The ledger knows nothing of it: say what it is from its own words."""
    if (row.document, row.amount) in paid:
        return Finding("duplicate", f"{row.document} was already paid", row, None, row.amount)
    if row.amount < 0 and (row.document.startswith(_OUR_CREDIT_NOTE) or _REFUND.search(row.text)):
        return Finding("customer_refund", "money back to a customer, not booked", row, None, row.amount)
    if _is_the_banks_own(row) and _INTEREST.search(row.text):
        return Finding("interest", "interest of the bank, not booked", row, None, row.amount)
    if _is_the_banks_own(row) and _FEE.search(row.text):
        return Finding("bank_fee", "charge of the bank, not booked", row, None, row.amount)
    return Finding("missing_in_ledger", "nothing in the ledger fits; parked in suspense", row, None, row.amount)


def _adjustment(finding: Finding, batch_id: str) -> dict[str, Any]:
    row = finding.row
    less, more = ACCOUNTS[finding.kind]
    debit, credit = (less, BANK) if finding.difference < 0 else (BANK, more)
    return {
        "reference": f"ADJ-{batch_id.removeprefix('B-')[:8]}-{row.reference}",
        "batch_id": batch_id,
        "kind": finding.kind,
        "account": debit,
        "counter_account": credit,
        "amount": f"{abs(finding.difference):.2f}",
        "currency": row.currency,
        "customer_facing": _touches_customer(finding.kind, row),
        "memo": f"{finding.reason}: {row.text} ({row.counterparty or 'bank'})"[:200],
    }


def _touches_customer(kind: str, row: Row) -> bool:
    return kind == "customer_refund" or (kind == "duplicate" and row.document.startswith(_OUR_INVOICE))


def _is_the_banks_own(row: Row) -> bool:
    """What the bank itself takes or gives names nobody else and no document. A supplier's licence fee names both."""
    return not row.counterparty and not row.document


def _foreign(row: Row, other: Row) -> str:
    """The other currency that either row names an amount in; empty if none."""
    named = _MONEY.findall(f"{row.text} {other.text}")
    return next((code for code in named if code in _CURRENCIES and code != row.currency), "")


def _days_apart(row: Row, other: Row) -> int:
    return abs((row.booked_on - other.booked_on).days)
