"""One line about something, for lists, mails and the head of a page. What does not fit says that it goes on: a line that
merely stops may stop within an amount, and then says a smaller one."""

import sys
from collections.abc import Callable
from typing import Final

LONGEST: Final = 200
# What one value may take of a line that is too long: a long text leaves the amount that comes after it in sight.
MOST_OF_A_VALUE: Final = 60


def cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def line_of(write: Callable[[int], str]) -> str:
    """What `write` makes of values of any length; where that is too long, of values no longer than it is then told."""
    whole = write(sys.maxsize)
    return whole if len(whole) <= LONGEST else cut(write(MOST_OF_A_VALUE))
