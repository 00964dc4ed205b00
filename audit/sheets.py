"""Rows as CSV that a spreadsheet only shows: UTF-8, stable headers, and no cell that would run as a formula. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
# Where a spreadsheet that separates by something else than we do would begin a cell inside of ours, quotes or not:
# to it a quote in the middle of a line is a letter, and the end of a line the end of a row.
BEGINS = re.compile(r"""([;\t\r\n][\s"]*)(?=[=+\-@])""")


def cell(value: object) -> str:
    """A number as it is; text that a spreadsheet would run gets an apostrophe in front, which it hides.

    A spreadsheet set to semicolons or tabs sees further cells inside, and gets one there: visible in a list of
    `- items`, and better than a line of it that runs. The API gives the text as it is.
    """
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    return _harmless(value) if isinstance(value, str) else str(value)


def _harmless(text: str) -> str:
    inside = BEGINS.sub(r"\1'", text)
    return f"'{inside}" if text.lstrip(" ").startswith(RUNS) else inside


def plain(number: Decimal) -> str:
    """Without an exponent, without zeros that say nothing, and nothing without a sign."""
    text = f"{number:zf}"
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
