"""Did you mean …? Names that look alike."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(word: str, known: Iterable[str]) -> str:
    """A remedy for a word nobody knows."""
    names = sorted(set(known))
    close = get_close_matches(word[:200], names, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    listed = ", ".join(f"`{name}`" for name in names[:12]) + (", …" if len(names) > 12 else "")
    return f"Known: {listed}" if names else ""


def lookalike(word: str, known: Iterable[str]) -> str | None:
    """A known name that differs by one slip of the keyboard, in longer words by two."""
    slips = 1 if len(word) < 6 else 2
    if len(word) < 3 or len(word) > 100:
        return None
    near = [(distance(word, name), name) for name in known if name != word and abs(len(name) - len(word)) <= slips]
    best = min(near, default=None)
    return best[1] if best and best[0] <= slips else None


def distance(one: str, other: str) -> int:
    """Edit distance; two neighbouring letters swapped count as one edit."""
    two_up: list[int] = []
    up = list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, across in enumerate(other):
            cost = min(up[j + 1] + 1, row[j] + 1, up[j] + (letter != across))
            if i and j and letter == other[j - 1] and one[i - 1] == across:
                cost = min(cost, two_up[j - 1] + 1)
            row.append(cost)
        two_up, up = up, row
    return up[-1]
