"""Readers: one kind of value each. A reader answers the value, or notes what is wrong and answers None."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from audit.conditions import LONGEST
from orchestrator.workflows.durations import LONGEST_SECONDS, seconds_of
from orchestrator.workflows.errors import At
from orchestrator.workflows.schemas import schema_problems
from orchestrator.workflows.tree import Entries, Items, Node, Text, describe, inexact, to_json
from orchestrator.workflows.words import suggest

Reader = Callable[[Node, At], Any]

KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]*")
# What undoes an execution is called undo:WORKFLOW: no figure counts it, and it cannot be undone itself.
WORKFLOW: Final = re.compile(rf"(?!undo:){NAME.pattern}")
VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,14}")
_OTHER_FLAGS: Final = frozenset({"yes", "no", "on", "off"})
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?")


def text(
    pattern: re.Pattern[str] | None = None, longest: int = 200, *, example: str = "", numbers: bool = False
) -> Reader:
    """A text as it stands in the file. With `numbers` it may look like one: `1.30` stays `1.30`."""

    def read(node: Node, at: At) -> str | None:
        if not isinstance(node, Text) or not node.text.strip():
            at.refuse(node, f"{_called(at)} must be a text, not {describe(node)}", example)
        elif (remedy := _no_text(node, numbers=numbers)) is not None:
            at.refuse(node, f"{_called(at)} must be a text, not {describe(node)}", remedy)
        elif len(node.text) > longest:
            at.refuse(node, f"{_called(at)} has {len(node.text)} characters; the limit is {longest}")
        elif pattern is not None and not pattern.fullmatch(node.text):
            at.refuse(node, f"{_called(at)} cannot be {describe(node)}", example)
        else:
            return node.text
        return None

    return read


def whole(smallest: int, largest: int) -> Reader:
    """A whole number."""

    def read(node: Node, at: At) -> int | None:
        if isinstance(node, Text) and node.plain and _WHOLE.fullmatch(node.text):
            number = int(node.text)
            if smallest <= number <= largest:
                return number
        said = f"{_called(at)} must be a whole number from {smallest} to {largest}, not {describe(node)}"
        at.refuse(node, said)
        return None

    return read


def number(smallest: float, largest: float) -> Reader:
    """A number."""

    def read(node: Node, at: At) -> float | None:
        value = node.value if isinstance(node, Text) and not inexact(node) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and smallest <= value <= largest:
            return value
        at.refuse(node, f"{_called(at)} must be a number from {smallest:g} to {largest:g}, not {describe(node)}")
        return None

    return read


def money(node: Node, at: At) -> str | None:
    """An amount above zero, kept as the exact decimal the file spells."""
    if isinstance(node, Text) and _DECIMAL.fullmatch(node.text):
        try:
            if Decimal(node.text) > 0:
                return node.text
        except InvalidOperation:
            pass
    at.refuse(node, f"{_called(at)} must be an amount such as 2.50, not {describe(node)}")
    return None


def duration(node: Node, at: At) -> float | None:
    """A length of time above zero, in seconds."""
    seconds = seconds_of(node.text) if isinstance(node, Text) else None
    if seconds is None or seconds <= 0:
        at.refuse(node, f"{_called(at)} must be a duration, not {describe(node)}", "Write 30s, 5m, 2h or PT5M")
        return None
    if seconds > LONGEST_SECONDS:
        at.refuse(node, f"{_called(at)} is longer than a year", "Write 30s, 5m, 2h or PT5M")
        return None
    return seconds


def flag(node: Node, at: At) -> bool | None:
    """True or false."""
    value = node.value if isinstance(node, Text) else None
    if isinstance(value, bool):
        return value
    at.refuse(node, f"{_called(at)} must be true or false, not {describe(node)}")
    return None


def listed(item: Reader) -> Reader:
    """A list of different texts."""

    def read(node: Node, at: At) -> tuple[str, ...] | None:
        if not isinstance(node, Items):
            at.refuse(node, f"{_called(at)} must be a list, not {describe(node)}", "Write [one, two]")
            return None
        found = [item(child, at.inside(index)) for index, child in enumerate(node.items)]
        for index, child in enumerate(node.items):
            if found[index] is not None and found[index] in found[:index]:
                at.refuse(child, f"{describe(child)} stands in {_called(at)} twice", "Keep one of the two")
        return tuple(value for value in found if value is not None)

    return read


def expression(node: Node, at: At) -> str | None:
    """The text of an expression; whether it compiles is asked once all names are known."""
    if isinstance(node, Text) and node.text.strip():
        if len(node.text) <= LONGEST:
            return node.text
        at.refuse(node, f"{_called(at)} has {len(node.text)} characters; the limit is {LONGEST}")
        return None
    at.refuse(node, f"{_called(at)} must be a condition such as `amount > 500`, not {describe(node)}")
    return None


def condition(node: Node, at: At) -> str | None:
    """An expression that is true or false. `yes`, which elsewhere means true, would be taken for a name of the input."""
    if isinstance(node, Text) and node.text.strip().lower() in _OTHER_FLAGS:
        remedy = f"Write true or false; a value of that name is `input.{node.text.strip()}`"
        at.refuse(node, f"{_called(at)} cannot be {describe(node)}", remedy)
        return None
    return expression(node, at)


def schema(node: Node, at: At) -> dict[str, Any] | None:
    """A JSON Schema of an object."""
    if not isinstance(node, Entries):
        at.refuse(node, f"{_called(at)} must be a JSON Schema, not {describe(node)}", "Write {type: object, …}")
        return None
    found: dict[str, Any] = to_json(node, at)
    problems = schema_problems(found)
    if not problems and found.get("type", "object") != "object":
        problems = ["it must describe an object"]
    for problem in problems:
        at.refuse(node, f"{_called(at)}: {problem}", "Write {type: object, properties: {…}}")
    return None if problems else found


def values(node: Node, at: At) -> dict[str, Any] | None:
    """A mapping of names to JSON values."""
    if isinstance(node, Entries):
        found: dict[str, Any] = to_json(node, at)
        return found
    at.refuse(node, f"{_called(at)} must be a mapping, not {describe(node)}", "Write {name: value}")
    return None


def mapping(node: Node, at: At, readers: dict[str, Reader]) -> dict[str, Any]:
    """A mapping of known keys. Unknown ones are noted with the word that was meant."""
    if not isinstance(node, Entries):
        at.refuse(node, f"{_called(at)} must be a mapping, not {describe(node)}", f"Known: {', '.join(readers)}")
        return {}
    found = {}
    for name, (key, value) in node.entries.items():
        if name not in readers:
            at.inside(name).refuse(key, f"Unknown key `{name}`", suggest(name, readers))
        else:
            found[name] = readers[name](value, at.inside(name))
    return {name: value for name, value in found.items() if value is not None}


def _no_text(node: Text, *, numbers: bool) -> str | None:
    """What to do about a value that YAML takes for something else than a text, or None."""
    if node.value is None or isinstance(node.value, bool):
        return "Remove it, or put it in quotes"
    return None if numbers or isinstance(node.value, str) else "Put it in quotes"


def _called(at: At) -> str:
    """The key in words; of a list, that it is one of its items."""
    name, _, last = at.path.rpartition(".")
    return f"An item of `{name.rpartition('.')[2]}`" if last.isdecimal() else f"`{last}`"
