"""What differs between two texts, word by word, and inside a number digit by digit. Pure."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

SAME, CHANGED, DIGIT = "same", "changed", "digit"
_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
LONGEST = 4_000  # characters compared; beyond that a reader opens the files


@dataclass(frozen=True)
class Part:
    """A run of one side: `same` as the other, `changed`, or a `digit` that differs inside an equal-length number."""

    kind: str
    text: str


def word_diff(before: str, after: str) -> tuple[list[Part], list[Part]]:
    """Both sides as parts. Joined, the parts of a side are that side's text."""
    if max(len(before), len(after)) > LONGEST:
        return _whole(before, before == after), _whole(after, before == after)
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    left: list[Part] = []
    right: list[Part] = []
    for operation, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        if operation == "equal":
            left.append(Part(SAME, gone))
            right.append(Part(SAME, come))
        else:
            left.extend(_compare_digits(gone, come))
            right.extend(_compare_digits(come, gone))
    return left, right


def _compare_digits(mine: str, other: str) -> list[Part]:
    """Parts of a changed run; where both sides are numbers of one length, each differing digit stands out."""
    if not mine:
        return []
    if len(mine) != len(other) or not (mine.isalnum() and other.isalnum() and any(map(str.isdigit, mine))):
        return [Part(CHANGED, mine)]
    kinds = [DIGIT if one != two else CHANGED for one, two in zip(mine, other, strict=True)]
    parts: list[Part] = []
    for kind, character in zip(kinds, mine, strict=True):
        if parts and parts[-1].kind == kind:
            parts[-1] = Part(kind, parts[-1].text + character)
        else:
            parts.append(Part(kind, character))
    return parts


def _whole(text: str, equal: bool) -> list[Part]:
    return [Part(SAME if equal else CHANGED, text)] if text else []
