"""Rows as CSV that a spreadsheet only shows: UTF-8, stable headers, and no cell that would run as a formula. Pure."""

import csv
import io
from collections.abc import Iterable

RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """A number as it is; text that a spreadsheet would run gets an apostrophe in front, which it hides."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.lstrip(" ").startswith(RUNS) else text


def as_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()
