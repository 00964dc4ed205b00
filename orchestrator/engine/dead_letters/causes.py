"""What makes two failures the same cause. Pure: error class, tool, step, and the message without what differs by itself.

The rule, in this order: times, addresses, paths, quoted values, e-mail addresses, UUIDs, hexadecimal numbers, words with
a digit in them (ids), numbers. What is left is compared in small letters. docs/triage.md says the same for operators.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Final

LONGEST: Final = 2_000  # characters of a message that are looked at


def _named(word: re.Match[str]) -> str:
    """A word with a digit in it names one thing: ADJ-0042, INV_2026_11, EXE-9931. Every shape here takes linear time."""
    name = word[0].rstrip("./#-")
    return "<id>" + word[0][len(name) :] if any(map(str.isdigit, name)) else word[0]


SHAPES: Final[list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]]] = [
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\b"), "<time>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s\"'<>]+", re.IGNORECASE), "<address>"),
    (re.compile(r"(?<![\w/.])(?:[A-Za-z]:\\|\\\\|~?/)[^\s\"'<>:,;()]+"), "<path>"),
    (
        re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|«[^»\n]*»|\u2018[^\u2019\n]*\u2019|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)"),
        "<value>",
    ),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<address>"),
    (re.compile(r"\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[A-Za-z_][\w.#/-]*"), _named),
    (re.compile(r"[-+]?\d+(?:[.,:/-]\d+)*(?:e[-+]?\d+)?%?", re.IGNORECASE), "<number>"),
]


def pattern_of(message: str) -> str:
    """The message with everything replaced that differs from letter to letter of one cause."""
    text = message[:LONGEST]
    for shape, word in SHAPES:
        text = shape.sub(word, text)
    return " ".join(text.split()).lower()


def fingerprint_of(*, failure_class: str, component: str, step: str, pattern: str) -> str:
    """Equal for what is looked at together, and for nothing else."""
    return hashlib.sha256("\x1f".join([failure_class, component, step, pattern]).encode()).hexdigest()
