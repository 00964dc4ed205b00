"""The frozen bytes as rows for people: every scalar, exactly as digested, beside the record it is held against. Pure.

Numbers keep their digits (they are never parsed to floats) and empty containers are shown, so nothing that was
signed is missing from the page. `rebuilt` puts the rows together again: what comes out must be the very bytes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from audit.canonical import canonical

Path = tuple[str | int, ...]
# What holds nothing is said in words; the kind tells the words from a text that reads the same.
EMPTY: Mapping[str, Any] = {"(empty text)": "", "(empty object)": {}, "(empty list)": [], "(null)": None}


class Number(str):
    """A number as it stands in the bytes."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Value:
    """One scalar: where it stands (a number is a place in a list), and its text. `kind` says what JSON type it had."""

    path: Path
    text: str
    kind: str

    @property
    def label(self) -> str:
        return label_of(self.path)

    @property
    def raw(self) -> Any:
        """The JSON value the text and kind stand for."""
        if self.kind == "number":
            return json.loads(self.text)
        if self.kind == "yes/no":
            return self.text == "yes"
        return EMPTY[self.text] if self.kind == "nothing" else self.text


@dataclass(frozen=True, slots=True)
class Change:
    """An argument beside what the record says; `before` None means the record has no such value."""

    label: str
    before: str | None
    after: str
    origin: str = "agent"
    path: Path = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A value somebody can check the act against."""

    label: str
    value: str
    source: str
    origin: str
    matches: bool | None = None
    path: Path = ()
    kind: str = "text"
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A snapshot read whole: what is asked for, under what, and against which record."""

    arguments: list[Value]
    bound: list[Value]
    changes: list[Change]
    record: list[Evidence]
    has_record: bool

    @property
    def scalars(self) -> list[Value]:
        """Every scalar of the snapshot, each in its full place."""
        return [
            *(Value(("arguments", *value.path), value.text, value.kind) for value in self.arguments),
            *self.bound,
            *(Value(("record", *row.path), row.value, row.kind) for row in self.record),
        ]

    @property
    def rebuilt(self) -> str:
        """The canonical bytes, put together from nothing but the rows."""
        empty: dict[str, Any] = {"arguments": {}, "record": {} if self.has_record else None}
        return canonical(empty | tree_of([(value.path, value.raw) for value in self.scalars]))

    @property
    def amount(self) -> tuple[str, str] | None:
        """The money at stake, where the arguments name an amount and its currency."""
        top = {value.label: value.text for value in self.arguments if len(value.path) == 1}
        return (top["amount"], top["currency"]) if top.keys() >= {"amount", "currency"} else None

    @property
    def compared(self) -> list[Change]:
        """Arguments that the record has a value for."""
        return [change for change in self.changes if change.before is not None]

    @property
    def not_in_record(self) -> list[str]:
        return [change.label for change in self.changes if change.before is None]


def read(snapshot: str, *, source: str = "record") -> Reading:
    """Rows of a canonical snapshot. `source` names where the record was read."""
    whole = json.loads(snapshot, parse_int=Number, parse_float=Number)
    arguments = list(_scalars(whole.get("arguments", {})))
    record = whole.get("record")
    return Reading(
        arguments=arguments,
        bound=[*_scalars({name: part for name, part in whole.items() if name not in {"arguments", "record"}})],
        changes=[Change(value.label, _in_record(record, value), value.text) for value in arguments],
        record=[_evidence(value, arguments, source) for value in _scalars(record)] if record is not None else [],
        has_record=record is not None,
    )


def difference(before: str, after: str) -> list[Change]:
    """What differs between two snapshots: the one somebody read and the one that waits now."""
    old, new = _flat(before), _flat(after)
    return [
        Change(label_of(path), old.get(path), new.get(path, ""), origin="", path=path)
        for path in [*old, *(path for path in new if path not in old)]
        if old.get(path) != new.get(path)
    ]


def label_of(path: Path) -> str:
    """The place in words; lists count from one."""
    return " / ".join(str(part + 1) if isinstance(part, int) else part for part in path)


def tree_of(rows: list[tuple[Path, Any]]) -> Any:
    """Rows that stand next to each other, as the object, list or scalar they came from."""
    if not rows:
        return {}
    if not rows[0][0]:
        return rows[0][1]
    parts = {head: [(path[1:], raw) for path, raw in group] for head, group in groupby(rows, lambda row: row[0][0])}
    if isinstance(rows[0][0][0], int):
        return [tree_of(part) for part in parts.values()]
    return {head: tree_of(part) for head, part in parts.items()}


def _flat(snapshot: str) -> dict[Path, str]:
    whole = json.loads(snapshot, parse_int=Number, parse_float=Number)
    return {value.path: value.text for value in _scalars(whole)}


def _scalars(value: Any, path: Path = ()) -> Iterator[Value]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _scalars(part, (*path, name))
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from _scalars(part, (*path, index))
    elif path:
        yield Value(path, *_written(value))


def _written(value: Any) -> tuple[str, str]:
    """Text and JSON type of a scalar or an empty container."""
    if isinstance(value, Number):
        return str(value), "number"
    if isinstance(value, bool):
        return ("yes" if value else "no"), "yes/no"
    if isinstance(value, str):
        return (value, "text") if value else ("(empty text)", "nothing")
    if isinstance(value, (dict, list)):
        return ("(empty object)" if isinstance(value, dict) else "(empty list)"), "nothing"
    return "(null)", "nothing"


def _in_record(record: Any, value: Value) -> str | None:
    """The record's value in the same place; where an object stands there, its member that names the same thing."""
    here = record
    for name in value.path:
        here = _member(here, name)
    if here is None:
        return None
    if not isinstance(here, dict):
        return _written(here)[0] if not isinstance(here, list) else None
    members = {member.path[-1]: member.text for member in _scalars(here)}
    if value.text in members.values():
        return value.text
    return next((text for name, text in members.items() if str(value.path[-1]).endswith(str(name))), None)


def _member(here: Any, name: str | int) -> Any:
    if isinstance(here, dict) and isinstance(name, str):
        return here.get(name)
    return here[name] if isinstance(here, list) and isinstance(name, int) and name < len(here) else None


def _evidence(value: Value, arguments: list[Value], source: str) -> Evidence:
    same = any(value.text == argument.text and value.path[0] == argument.path[0] for argument in arguments)
    return Evidence(
        value.label, value.text, source, "record", matches=True if same else None, path=value.path, kind=value.kind
    )
