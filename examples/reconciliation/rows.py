"""Rows of the user's two files, read strictly: a wrong cell is named by file, row, column and remedy.

Rows count from the first below the header, and go by their reference: on which line of the file they stood is not
told here, and blank lines and texts of several lines make it another number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

COLUMNS = ("reference", "booked_on", "amount", "currency", "counterparty", "document", "text")
MAY_BE_EMPTY = ("counterparty", "document", "text")
MOST_SHOWN = 10

# 1234.56, 1,234.56, 1.234,56, 1 234,56 and whole numbers. "1.234" is turned down: it may be either.
_AMOUNT = re.compile(r"([+-]?)(\d+|\d{1,3}(?:(?P<group>[ ',.])\d{3})(?:(?P=group)\d{3})*)(?:([.,])(\d{2}))?")
_DATES = ("%Y-%m-%d", "%d.%m.%Y")

Cells = Mapping[str, str | None]


class BadRows(ValueError):
    """The files cannot be reconciled as they are; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a statement or a ledger, in types a classifier can compare."""

    reference: str
    booked_on: date
    amount: Decimal
    currency: str
    counterparty: str
    document: str
    text: str


def parse_files(bank: Sequence[Cells], ledger: Sequence[Cells], currency: str) -> tuple[list[Row], list[Row]]:
    """Both files as rows, or one BadRows that lists everything wrong in either."""
    problems: list[str] = []
    parsed = tuple(_parse(name, rows, currency, problems) for name, rows in (("bank", bank), ("ledger", ledger)))
    if problems:
        raise BadRows(_listed(problems))
    return parsed[0], parsed[1]


def batch_currency(bank: Sequence[Cells], wanted: str | None) -> str:
    """The currency asked for, or the one of the first bank row."""
    return wanted or str(bank[0].get("currency") or "").strip()


def _parse(name: str, rows: Sequence[Cells], currency: str, problems: list[str]) -> list[Row]:
    if not rows:
        problems.append(f"{name} file: it has no rows below the header; export it again with a wider date range")
        return []
    missing = [column for column in COLUMNS if column not in rows[0]]
    if missing:
        problems.append(_missing(name, missing, rows[0]))
        return []
    parsed = []
    for number, cells in enumerate(rows, start=1):
        parsed += _row(_where(name, number, cells), cells, currency, problems)
    problems += _duplicates(name, rows)
    return parsed


def _missing(name: str, missing: list[str], first: Cells) -> str:
    found = ", ".join(str(column) for column in first)
    alike = {str(column).strip().lower() for column in first}
    if ";" in found or "\t" in found:
        hint = "save it with commas between the cells"
    elif alike.issuperset(missing):
        hint = "write the names in small letters, without blanks around them"
    else:
        hint = "add it to the header line"
    return f"{name} file: column {', '.join(missing)} is missing (found: {found}); {hint}"


def _where(name: str, number: int, cells: Cells) -> str:
    reference = (cells.get("reference") or "").strip()
    return f"{name} file, row {number}" + (f" ({reference[:40]})" if reference else "")


def _row(where: str, cells: Cells, currency: str, problems: list[str]) -> list[Row]:
    texts = {column: (cells.get(column) or "").strip() for column in COLUMNS}
    before = len(problems)
    problems += [
        f"{where}, column {column}: the cell is empty; fill it in"
        for column in COLUMNS
        if not texts[column] and column not in MAY_BE_EMPTY
    ]
    if len(problems) > before:
        return []
    booked_on, amount = read_date(texts["booked_on"]), read_amount(texts["amount"])
    problems += _wrong_cells(where, texts, currency, booked_on, amount)
    if booked_on is None or amount is None or len(problems) > before:
        return []
    return [Row(**{**texts, "booked_on": booked_on, "amount": amount})]  # type: ignore[arg-type]


def _wrong_cells(
    where: str, texts: dict[str, str], currency: str, booked_on: date | None, amount: Decimal | None
) -> Iterable[str]:
    if booked_on is None:
        day = texts["booked_on"]
        yield f"{where}, column booked_on: {day!r} is not a date; write 2026-03-31 or 31.03.2026"
    if amount is None:
        yield f"{where}, column amount: {texts['amount']!r} is not an amount; write it like -1234.56"
    elif not amount:
        yield f"{where}, column amount: it is zero; remove the row, there is nothing to reconcile"
    if currency and texts["currency"] != currency:  # of a bank file without one, that is what is told
        yield (
            f"{where}, column currency: {texts['currency']!r} in a batch of {currency!r};"
            " reconcile each currency on its own"
        )


def _duplicates(name: str, rows: Sequence[Cells]) -> Iterable[str]:
    first_seen: dict[str, int] = {}
    for number, cells in enumerate(rows, start=1):
        reference = (cells.get("reference") or "").strip()
        if reference and first_seen.setdefault(reference, number) != number:
            yield (
                f"{name} file, row {number}, column reference: {reference!r} already stands in row"
                f" {first_seen[reference]}; remove the copy"
            )


def _listed(problems: list[str]) -> str:
    shown = problems[:MOST_SHOWN]
    rest = len(problems) - len(shown)
    return "\n".join([*shown, f"... and {rest} more"] if rest else shown)


def read_amount(text: str) -> Decimal | None:
    """'-1.234,56' and '-1,234.56' -> Decimal('-1234.56'); None if it can be read in two ways or none."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return None
    sign, whole, group, point, decimals = found.group(1), found.group(2), found["group"], found[4], found[5]
    if group and (group == point or (group in ".," and not decimals)):
        return None
    digits = re.sub(r"\D", "", whole)
    return Decimal(f"{sign}{digits}.{decimals or '00'}")


def read_date(text: str) -> date | None:
    """ISO or day.month.year; slashes are turned down, they mean different days in different countries."""
    for layout in _DATES:
        try:
            return datetime.strptime(text, layout).date()  # noqa: DTZ007 - a booking day has no time zone
        except ValueError:
            continue
    return None
