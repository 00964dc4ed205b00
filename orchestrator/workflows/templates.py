"""Texts with `${expression}` in them. A text that is one hole gives the value itself; `$${` stands for a literal `${`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from audit.conditions import compile_expression
from audit.headlines import cut, line_of


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression inside a text; `offset` is where its source starts."""

    source: str
    offset: int


class BadTemplate(ValueError):
    """A hole without an end."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class NoValue(Exception):
    """An expression gave no value; the text says why."""


@lru_cache(maxsize=4096)
def parts_of(text: str) -> tuple[str | Hole, ...]:
    """The literal pieces and the holes. Raises BadTemplate."""
    parts: list[str | Hole] = []
    literal, offset = "", 0
    while (start := text.find("${", offset)) >= 0:
        if text[max(start - 1, offset) : start] == "$":
            literal, offset = literal + text[offset : start - 1] + "${", start + 2
            continue
        end = _end_of_hole(text, start + 2)
        literal += text[offset:start]
        parts += [literal, Hole(text[start + 2 : end], start + 2)]
        literal, offset = "", end + 1
    parts.append(literal + text[offset:])
    return tuple(part for part in parts if part != "")


def holes_in(value: Any) -> Iterator[Hole]:
    """Every hole of a JSON value. Raises BadTemplate."""
    if isinstance(value, str):
        yield from (part for part in parts_of(value) if isinstance(part, Hole))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from holes_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from holes_in(item)


def only_hole(text: str) -> Hole | None:
    """The hole, when the text is nothing else."""
    parts = parts_of(text)
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Hole) else None


def fill(value: Any, variables: Mapping[str, str], values: Mapping[str, Any]) -> Any:
    """The JSON value with every hole filled. Raises NoValue."""
    if isinstance(value, str):
        return _fill_text(value, variables, values)
    if isinstance(value, Mapping):
        return {name: fill(item, variables, values) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [fill(item, variables, values) for item in value]
    return value


def say(text: str, variables: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """A line for people: every hole filled, whole numbers without `.0`, cut to a headline. Raises NoValue."""
    parts = [
        (part, False)
        if isinstance(part, str)
        else (_spoken(part.source, _evaluate(part.source, variables, values)), True)
        for part in parts_of(text)
    ]

    def write(longest: int) -> str:
        return " ".join("".join(cut(part, longest) if is_value else part for part, is_value in parts).split())

    return line_of(write)


def _spoken(source: str, value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return _as_text(source, int(value) if whole else value)


def _fill_text(text: str, variables: Mapping[str, str], values: Mapping[str, Any]) -> Any:
    if "${" not in text:
        return text
    hole = only_hole(text)
    if hole is not None:
        return _evaluate(hole.source, variables, values)
    return "".join(
        part if isinstance(part, str) else _as_text(part.source, _evaluate(part.source, variables, values))
        for part in parts_of(text)
    )


def _evaluate(source: str, variables: Mapping[str, str], values: Mapping[str, Any]) -> Any:
    result = compile_expression(source, variables).evaluate(values)
    if result.error:
        raise NoValue(f"${{{source}}}: {result.error}")
    return result.value


def _as_text(source: str, value: Any) -> str:
    if value is None:
        raise NoValue(f"${{{source}}} is null, and a text cannot hold that")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _end_of_hole(text: str, offset: int) -> int:
    """Where the closing bracket stands; brackets inside quotes and inside map literals do not count."""
    start, depth, quote = offset, 0, ""
    while offset < len(text):
        character = text[offset]
        if quote:
            offset += character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "}" and depth == 0:
            return offset
        else:
            depth += (character == "{") - (character == "}")
        offset += 1
    raise BadTemplate("`${` has no closing `}`", start - 2)
