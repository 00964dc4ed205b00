"""Which characters and how many a file may hold: what reviewers see must be what runs."""

import unicodedata
from typing import Final

from audit.templatetags._visible import is_false_blank, is_unseen
from orchestrator.workflows.errors import Position, Report

LARGEST_BYTES: Final = 256 * 1024
# They shape letters of several scripts, so texts that only people read may hold them.
JOINERS: Final = frozenset("\u200c\u200d")

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
    """Control characters, halves of surrogate pairs, and what makes a text read otherwise than it runs. Joiners come later."""
    if character in "\t\n\r" or character in JOINERS:
        return False
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or is_unseen(character)


def false_blank_in(text: str) -> int | None:
    """Where a key or an expression first holds what passes for a space or for nothing, and compares as something else."""
    return next((index for index, character in enumerate(text) if is_false_blank(character)), None)


def joiner_in(text: str) -> int | None:
    """Where a text first holds a joiner."""
    return next((index for index, character in enumerate(text) if character in JOINERS), None)


def name_of(character: str) -> str:
    """The character in words, because showing it would not help."""
    why = " (it reverses text)" if character in _BIDI else ""
    if not why and is_false_blank(character):
        why = " (a blank that is no space)" if unicodedata.category(character) == "Zs" else " (it cannot be seen)"
    return f"the character U+{ord(character):04X}{why}"
