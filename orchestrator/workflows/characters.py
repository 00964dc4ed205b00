"""Which characters and how many a file may hold: what reviewers see must be what runs."""

import unicodedata
from typing import Final

from orchestrator.workflows.errors import Position, Report

LARGEST_BYTES: Final = 256 * 1024

_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def refuse_size(text: str, report: Report) -> None:
    """A workflow is written by people; what is larger is data."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST_BYTES:
        message = f"The file has {size // 1024} KB; the limit is {LARGEST_BYTES // 1024} KB"
        report.add(Position(), "", message, "Move data into files of its own")


def refuse_characters(text: str, report: Report) -> None:
    """Note the first character that hides, reverses or cannot be stored."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.isascii() and line.isprintable():
            continue
        for offset, character in enumerate(line.removesuffix("\r"), 1):
            if is_refused(character):
                message = f"{name_of(character)} is not allowed in a workflow file"
                report.add(Position(number, offset), "", message, "Remove it")
                return


def is_refused(character: str) -> bool:
    """Control characters, halves of surrogate pairs, and what makes a text read otherwise than it runs."""
    if character in "\t\n\r":
        return False
    return character in _BIDI or unicodedata.category(character) in {"Cc", "Cs"} or character in "\u2028\u2029\ufeff"


def name_of(character: str) -> str:
    """The character in words, because showing it would not help."""
    return f"the character U+{ord(character):04X}" + (" (it reverses text)" if character in _BIDI else "")
