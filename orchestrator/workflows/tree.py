"""YAML text as a tree of positions. Only what a workflow file needs: one document, no anchors, tags, merges or surprises."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from orchestrator.workflows.characters import (
    false_blank_in,
    is_refused,
    joiner_in,
    name_of,
    refuse_characters,
    refuse_size,
)
from orchestrator.workflows.errors import At, Position, Report, WorkflowErrors

DEEPEST: Final = 40
# What a browser, a database and Python all read as the same whole number.
LARGEST_INTEGER: Final = 2**53
# Keys whose texts only people read.
_FOR_PEOPLE: Final = frozenset({"description", "about", "ask"})

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# No JSON holds these; as texts they would pass for whatever the file means.
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the file, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Text(Node):
    """A scalar. `plain` means unquoted: it may stand for a number, true, false or null.

    `shift` is how many columns after the node its first character stands; None when the file spells it otherwise.
    """

    text: str
    plain: bool
    shift: int | None

    @property
    def value(self) -> Any:
        """What YAML's core schema makes of it."""
        if not self.plain:
            return self.text
        if self.text in _WORDS:
            return _WORDS[self.text]
        return _number(self.text)


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries(Node):
    """A mapping; every key with its own place."""

    entries: dict[str, tuple[Text, Node]]


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    line: int
    column: int
    mapping: bool
    children: list[Node] = field(default_factory=list)


def read_tree(text: str, report: Report) -> Node:
    """The tree of the file. Raises WorkflowErrors when there is none."""
    refuse_size(text, report)
    refuse_characters(text, report)
    report.stop_if_wrong()
    builder = _Builder(report)
    try:
        for event in YAML(typ="rt", pure=True).parse(text.removeprefix("\ufeff")):
            builder.take(event)
    except WorkflowErrors:
        raise
    except (YAMLError, ValueError, IndexError, RecursionError) as error:
        _add_syntax_error(error, text, report)
    report.stop_if_wrong()
    if builder.root is None:
        report.fail(Position(), "The file is empty", "Start with `workflow: name`")
    return builder.root


def to_json(node: Node, at: At) -> Any:
    """The plain JSON value of a node. Notes what JSON cannot hold exactly."""
    if isinstance(node, Entries):
        return {name: to_json(value, at.inside(name)) for name, (_, value) in node.entries.items()}
    if isinstance(node, Items):
        return [to_json(item, at.inside(index)) for index, item in enumerate(node.items)]
    if isinstance(node, Text) and (problem := inexact(node)):
        at.refuse(node, f"{node.text[:60]} {problem}", "Put it in quotes, as a text")
    return node.value if isinstance(node, Text) else None


def describe(node: Node) -> str:
    """What kind of thing stands there, for messages."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Entries):
        return "a mapping"
    text = node.text if isinstance(node, Text) else ""
    return f"`{text[:60]}`" if text else "nothing"


class _Builder:
    """Events into nodes, with a stack of its own: a hostile file runs into the depth cap, not into Python's."""

    def __init__(self, report: Report) -> None:
        self.root: Node | None = None
        self._report = report
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: Event) -> None:
        """One more event of the parser."""
        line, column = _place(event)
        self._refuse_specials(event, Position(line, column))
        match event:
            case ScalarEvent():
                self._add(_scalar(event, line, column, self._report))
            case MappingStartEvent() | SequenceStartEvent():
                self._push(_Open(line, column, isinstance(event, MappingStartEvent)))
            case MappingEndEvent() | SequenceEndEvent():
                self._add(self._close(self._open.pop()))

    def _push(self, opened: _Open) -> None:
        self._open.append(opened)
        if len(self._open) > DEEPEST:
            where = Position(opened.line, opened.column)
            self._report.fail(where, f"Nested deeper than {DEEPEST} levels", "Flatten it")

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].children.append(node)
        elif self.root is None:
            self.root = node

    def _close(self, opened: _Open) -> Node:
        if not opened.mapping:
            for child in opened.children:
                self._refuse_hidden(child, joiner_in, "a text that is not for people only")
            return Items(opened.line, opened.column, tuple(opened.children))
        entries: dict[str, tuple[Text, Node]] = {}
        for key, value in zip(opened.children[::2], opened.children[1::2], strict=True):
            self._refuse_hidden(key, false_blank_in, "a key")
            if not (isinstance(key, Text) and key.text in _FOR_PEOPLE):
                self._refuse_hidden(value, joiner_in, "a text that is not for people only")
            if not isinstance(key, Text):
                self._report.add(key, "", f"A key must be a text, not {describe(key)}", "Write `name: value`")
            elif key.text in entries:
                first = entries[key.text][0]
                message = f"The key `{key.text}` stands here again; it is already on line {first.line}"
                self._report.add(key, key.text, message, "Keep one of the two")
            else:
                entries[key.text] = (key, _at_key(key, value))
        return Entries(opened.line, opened.column, entries)

    def _refuse_hidden(self, node: Node, find: Callable[[str], int | None], inside: str) -> None:
        if isinstance(node, Text) and (index := find(node.text)) is not None:
            where = node if node.shift is None else Position(node.line, node.column + node.shift + index)
            self._report.add(where, "", f"{name_of(node.text[index])} is not allowed in {inside}", "Remove it")

    def _refuse_specials(self, event: Event, where: Position) -> None:
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._report.add(where, "", "A second document starts here", "One file holds one workflow")
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            self._report.fail(where, "Anchors and aliases are not allowed", "Write the value out where it is used")
        if getattr(event, "tag", None):
            self._report.add(
                where, "", "Tags (`!name`) are not allowed", "Remove the tag; quote the value to make it a text"
            )


def _at_key(key: Text, value: Node) -> Node:
    """A missing value stands nowhere; its key is where people look."""
    if isinstance(value, Text) and value.plain and not value.text:
        return Text(key.line, key.column, "", plain=True, shift=None)
    return value


def _place(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _scalar(event: ScalarEvent, line: int, column: int, report: Report) -> Text:
    plain = event.style is None
    length = event.end_mark.index - event.start_mark.index
    quotes = 0 if plain else 2
    verbatim = event.style in {None, "'", '"'} and length == len(event.value) + quotes
    node = Text(line, column, event.value, plain, quotes // 2 if verbatim and "\n" not in event.value else None)
    for character in event.value:
        if is_refused(character):  # escapes in quotes can spell what the file itself may not hold
            report.add(node, "", f"The text holds {name_of(character)}", "Remove the escape")
            break
    if plain and node.text == "<<":
        report.add(node, "", "Merge keys (`<<`) are not allowed", "Write the keys out")
    return node


def _number(text: str) -> Any:
    if _INTEGER.fullmatch(text):
        if len(text) > 300:
            return math.inf
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return math.inf if _NO_NUMBER.fullmatch(text) else text


def inexact(node: Text) -> str:
    """Why a number would not be kept as it is written, or ""."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not math.isfinite(value):
        return "is no number that can be kept"
    if _LEADING_ZERO.match(node.text):
        return f"would be read as {value}"
    if abs(value) > LARGEST_INTEGER or (isinstance(value, float) and abs(value) == LARGEST_INTEGER):
        return "is too large to be exact everywhere"
    if isinstance(value, float) and Decimal(node.text) != Decimal(repr(value)):
        return f"would be rounded to {value}"
    return ""


def _add_syntax_error(error: Exception, text: str, report: Report) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = Position(mark.line + 1, mark.column + 1) if mark else Position()
    if isinstance(error, ReaderError):
        before = text[: error.position]
        where = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
    said = (error.problem or error.context or "") if isinstance(error, MarkedYAMLError) else str(error)
    report.add(where, "", f"This is not YAML: {_in_words(said)}", _remedy(text, where))


def _in_words(said: str) -> str:
    return said.split("\n", maxsplit=1)[0].replace("\\x00", "the end of the file").strip() or "it cannot be read"


def _remedy(text: str, where: Position) -> str:
    lines = text.split("\n")
    around = lines[max(where.line - 2, 0) : where.line]
    if any("${" in line for line in around):
        return 'Inside `{…}` and `[…]` an expression needs quotes: "${name}"'
    if any("\t" in line for line in around):
        return "Indent with spaces, not tabs"
    return "Check the indentation, the brackets and the quotes"
