"""Files of the user as input of a workflow, read strictly: what cannot be read is named by line, with its remedy.

What the rows must hold is not known here: that is the workflow's own schema and its handlers.
"""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.canonical import BadJSON, read_strict

MAX_FILE_BYTES = 10 * 1024 * 1024
_LINE_END = re.compile(r"\r\n?|\n")


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows as text, exactly as written. Every row must have every column."""
    text = _text(path)
    _refuse_nul(path, text)
    _refuse_other_separators(path, text)
    rows = _rows(path, text)
    _, names = next(rows, (1, []))
    if not names or len(set(names)) != len(names):
        raise CommandError(f"{path}: line 1: the header must name every column once.")
    return [_fields(f"{path}: line {line}", names, cells) for line, cells in rows if cells]


def read_json(path: Path) -> Any:
    """Its value, refused for whatever the API refuses in a body: duplicate keys, NUL, deep nesting, long numbers."""
    try:
        return read_strict(_text(path).encode(), max_bytes=MAX_FILE_BYTES)
    except BadJSON as error:
        raise CommandError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{path}: it cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = _line_after(error.object[: error.start].decode("latin-1"))
        kind = path.suffix[1:].upper()
        raise CommandError(f"{path}: line {line}: it is not UTF-8. Save it as UTF-8 {kind}.") from None


def _refuse_nul(path: Path, text: str) -> None:
    before, nul, _ = text.partition("\0")
    if nul:
        raise CommandError(
            f"{path}: line {_line_after(before)}: it holds the character U+0000, which cannot be stored. "
            "Remove it, and save the file as UTF-8 CSV."
        )


def _refuse_other_separators(path: Path, text: str) -> None:
    header = _LINE_END.split(text, maxsplit=1)[0]
    found = next((name for mark, name in {";": "semicolons", "\t": "tabs"}.items() if mark in header), None)
    if found and "," not in header:
        raise CommandError(f"{path}: line 1: its cells stand between {found}. Save it with commas between the cells.")


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Every row with the line it begins in: a text in quotes may go on over several."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for cells in reader:
            yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        remedy = "Close the quote, or double it where it is part of the text."
        raise CommandError(f"{path}: line {begins}: in the row that begins here, {error}. {remedy}") from None


def _fields(where: str, names: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(names):
        raise CommandError(
            f"{where}: {len(names)} columns are expected, {len(cells)} are there. Check for a stray or missing comma."
        )
    return dict(zip(names, cells, strict=True))


def _line_after(text: str) -> int:
    return 1 + len(_LINE_END.findall(text))
