"""Rows as CSV that a spreadsheet only shows: UTF-8, stable headers, and no cell that would run as a formula. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal

RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """A number as it is; text that a spreadsheet would run gets an apostrophe in front, which it hides."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(RUNS) else text


def plain(number: Decimal) -> str:
    """Without an exponent, and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def csv_lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A line at a time, for files that nobody should hold whole."""
    yield _line(header)
    yield from (_line(cell(value) for value in row) for row in rows)


def as_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    return "".join(csv_lines(header, rows))


def _line(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()
